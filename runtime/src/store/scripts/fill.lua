-- KEYS: value, guard, tags. ARGV: guard as read ('' for none), SHA-1 of the value as read ('' for none, behind a
-- '?' if that value was due to expire by now), value, time to live in ms (or '@' and the time in ms since the Unix
-- epoch), nonce of each tag as read. Stores only if nothing moved since the read, and then the tags live at least
-- as long as the value.
local now = redis.call('MGET', unpack(KEYS, 2))
if (now[1] or '') ~= ARGV[1] then return 0 end
for i = 3, #KEYS do
  if (now[i - 1] or '') ~= ARGV[i + 2] then return 0 end
end
local seen, due = string.gsub(ARGV[2], '^%?', '')
local life, at = string.gsub(ARGV[4], '^@', '')
local unit = at == 1 and 'PXAT' or 'PX'
if seen == '' then
  if not redis.call('SET', KEYS[1], ARGV[3], unit, life, 'NX') then
    -- An error if it is no value.
    redis.call('GET', KEYS[1])
    return 0
  end
else
  local held = redis.call('GET', KEYS[1])
  if held then
    if redis.sha1hex(held) ~= seen then return 0 end
  elseif due == 0 then
    return 0
  end
  redis.call('SET', KEYS[1], ARGV[3], unit, life)
end
local lengthen = at == 1 and 'PEXPIREAT' or 'PEXPIRE'
for i = 3, #KEYS do redis.call(lengthen, KEYS[i], life, 'GT') end
return 1
