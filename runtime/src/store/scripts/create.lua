-- KEYS: key. ARGV: time to live in ms, name of a command, its arguments behind the key.
-- Runs the command; a key that it created expires. Returns the reply.
local is_new = redis.call('EXISTS', KEYS[1]) == 0
local reply = redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
if is_new then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return reply
