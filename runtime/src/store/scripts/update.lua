-- KEYS: value, guard. ARGV: guard as read ('' for none), nonce, guard's time to live in ms, value,
-- time to live in ms. Stores, and moves the guard, only if the guard did not move since the read.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
return 1
