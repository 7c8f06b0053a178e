-- KEYS: value, guard. ARGV: guard as read ('' for none), SHA-1 of the value as read ('' for none),
-- value, time to live in ms. Stores only if neither moved since the read.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 0 end
local now = redis.call('GET', KEYS[1])
if now then now = redis.sha1hex(now) else now = '' end
if now ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
