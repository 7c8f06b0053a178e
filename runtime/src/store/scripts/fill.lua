-- KEYS: value, guard, tags. ARGV: guard as read ('' for none), SHA-1 of the value as read ('' for none),
-- value, time to live in ms, nonce of each tag as read. Stores only if nothing moved since the read, and then
-- the tags live at least as long as the value.
local now = redis.call('MGET', unpack(KEYS, 2))
if (now[1] or '') ~= ARGV[1] then return 0 end
for i = 3, #KEYS do
  if (now[i - 1] or '') ~= ARGV[i + 2] then return 0 end
end
if ARGV[2] == '' then
  if not redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4], 'NX') then
    -- An error if it is no value.
    redis.call('GET', KEYS[1])
    return 0
  end
else
  local held = redis.call('GET', KEYS[1])
  if not held or redis.sha1hex(held) ~= ARGV[2] then return 0 end
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
for i = 3, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[4], 'GT') end
return 1
