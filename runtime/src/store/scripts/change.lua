-- KEYS: key, doubt. ARGV: process, number, time to live in ms ('' for none), name of a command, its arguments
-- behind the key.
-- Runs the command, unless its process gave it up; a key that it created expires. Returns an array: the reply,
-- or nothing.
if tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0) >= tonumber(ARGV[2]) then return {} end
local is_new = ARGV[3] ~= '' and redis.call('EXISTS', KEYS[1]) == 0
local reply = redis.call(ARGV[4], KEYS[1], unpack(ARGV, 5))
if is_new then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
-- A number of Lua holds 53 bits, so a counter beyond that is read as text.
if type(reply) == 'number' and math.abs(reply) >= 9007199254740992 then
  if ARGV[4] == 'INCRBY' then reply = redis.call('GET', KEYS[1]) end
  if ARGV[4] == 'HINCRBY' then reply = redis.call('HGET', KEYS[1], ARGV[5]) end
end
if type(reply) == 'table' then reply = 1 end
return {reply}
