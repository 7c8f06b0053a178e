-- KEYS: key, doubt. ARGV: process, number, time to live in ms ('' for none), name of a command, its arguments
-- behind the key.
-- Runs the command, unless its process gave it up; a key that it created expires. Returns an array: the reply,
-- or nothing.
if tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0) >= tonumber(ARGV[2]) then return {} end
local name, life, is_new = ARGV[4], ARGV[3], false
if life ~= '' and name == 'INCRBY' then
  redis.call('SET', KEYS[1], '0', 'PX', life, 'NX')
elseif life ~= '' and name ~= 'HSET' then
  is_new = redis.call('EXISTS', KEYS[1]) == 0
end
local reply = redis.call(name, KEYS[1], unpack(ARGV, 5))
if life ~= '' and name == 'HSET' and reply > 0 then is_new = redis.call('HLEN', KEYS[1]) == reply end
if is_new then redis.call('PEXPIRE', KEYS[1], life) end
-- A number of Lua holds 53 bits, so a counter beyond that is read as text.
if type(reply) == 'number' and math.abs(reply) >= 9007199254740992 then
  if name == 'INCRBY' then reply = redis.call('GET', KEYS[1]) end
  if name == 'HINCRBY' then reply = redis.call('HGET', KEYS[1], ARGV[5]) end
end
if type(reply) == 'table' then reply = 1 end
return {reply}
