-- KEYS: old, new, doubt of the old. ARGV: process, number, time to live in ms. Moves a value to another key.
-- Returns 1, or 0 if there was none, or -1 if its process gave the call up. Where it is done already, because
-- the answer was lost, 1 too.
if tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0) >= tonumber(ARGV[2]) then return -1 end
local value = redis.call('GET', KEYS[1])
if not value then return redis.call('EXISTS', KEYS[2]) end
redis.call('SET', KEYS[2], value, 'PX', ARGV[3])
redis.call('DEL', KEYS[1])
return 1
