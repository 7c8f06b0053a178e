-- KEYS: value, guard, tags. ARGV: guard as read ('' for none), nonce, guard's time to live in ms, value,
-- time to live in ms (or '@' and the time in ms since the Unix epoch), then for each tag: its nonce as read, and the one that it gets ('' if it stays). Stores, and
-- moves the guard, only if nothing moved since the read. The tags move in any case.
local now = redis.call('MGET', unpack(KEYS, 2))
local same = (now[1] or '') == ARGV[1]
for i = 3, #KEYS do
  local seen, next = ARGV[2 * i], ARGV[2 * i + 1]
  if (now[i - 1] or '') ~= seen then same = false end
  if next ~= '' then redis.call('SET', KEYS[i], next, 'PX', ARGV[3]) end
end
if not same then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
local life, at = string.gsub(ARGV[5], '^@', '')
redis.call('SET', KEYS[1], ARGV[4], at == 1 and 'PXAT' or 'PX', life)
for i = 3, #KEYS do redis.call(at == 1 and 'PEXPIREAT' or 'PEXPIRE', KEYS[i], life, 'GT') end
return 1
