-- KEYS: key. ARGV: text, name of a command, its arguments behind the key.
-- Runs the command if the key holds the text. Returns its reply, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
