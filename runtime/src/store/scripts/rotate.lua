-- KEYS: old, new. ARGV: time to live in ms. Moves a value to another key.
-- Returns 1, or 0 if there was none. Where it is done already, because the answer was lost, 1 too.
local value = redis.call('GET', KEYS[1])
if not value then return redis.call('EXISTS', KEYS[2]) end
redis.call('SET', KEYS[2], value, 'PX', ARGV[1])
redis.call('DEL', KEYS[1])
return 1
