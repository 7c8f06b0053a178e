-- KEYS: value, guard. ARGV: nonce, guard's time to live in ms, value, time to live in ms.
-- Moves the guard, so that no load under way stores over this value.
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
