-- KEYS: value, guard, and so on. ARGV: nonce, guards' time to live in ms, values' time to live in ms,
-- then a value for each pair of keys.
-- Moves the guards, so that no load under way stores over these values.
for i = 1, #KEYS, 2 do
  redis.call('SET', KEYS[i + 1], ARGV[1], 'PX', ARGV[2])
  redis.call('SET', KEYS[i], ARGV[3 + (i + 1) / 2], 'PX', ARGV[3])
end
return 1
