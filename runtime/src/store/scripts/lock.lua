-- KEYS: lock, number. ARGV: token, time to live in ms, the least number, number's time to live in ms.
-- Takes a lock that is free, and once more one that has this token: the answer to the first try may be
-- lost. Each taking has a greater number than all before it. Returns 1 and the number, or 0 and how long
-- in ms the lock is still held.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return {0, redis.call('PTTL', KEYS[1])} end
local number = tonumber(redis.call('GET', KEYS[2]) or 0) or 0
if not holder or number == 0 then number = math.max(number + 1, tonumber(ARGV[3])) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], string.format('%.0f', number), 'PX', ARGV[4])
return {1, number}
