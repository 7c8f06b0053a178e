-- KEYS: value, guard, doubt. ARGV: process, number, '1' to remove the value, guard, guard's and doubt's time
-- to live in ms.
-- Gives up what the process wrote up to this number: a write of it that arrives later is refused. Then
-- removes the value, unless the process has stored a later one, or another copy of this call has removed it.
-- Returns how many values were removed.
local process, number = ARGV[1], tonumber(ARGV[2])
local held = redis.call('HMGET', KEYS[3], process, process .. ':removed')
if tonumber(held[1] or 0) < number then redis.call('HSET', KEYS[3], process, ARGV[2]) end
local removes = ARGV[3] == '1' and tonumber(held[2] or 0) < number
if removes then redis.call('HSET', KEYS[3], process .. ':removed', ARGV[2]) end
redis.call('PEXPIRE', KEYS[3], ARGV[5])
if not removes then return 0 end
local writer, stored = string.match(redis.call('GET', KEYS[2]) or '', '^(.*)%.(%d+)$')
if writer == process and tonumber(stored) > number then return 0 end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
return redis.call('DEL', KEYS[1])
