-- KEYS: value and guard of each entry, then tags. ARGV: number of entries, then for each its guard as read ('' for
-- none), SHA-1 of its value as read, value, time to live, number of its tags, and for each of
-- these its place among the tags and its nonce as read. Stores each as the script for one does, which says what the
-- words are; 1 or 0 for each.
local entries = tonumber(ARGV[1])
local beside = {}
for i = 1, entries do beside[i] = KEYS[2 * i] end
for i = 2 * entries + 1, #KEYS do beside[#beside + 1] = KEYS[i] end
local now = redis.call('MGET', unpack(beside))
local stored, at = {}, 2
for i = 1, entries do
  local key, before, value, ttl = KEYS[2 * i - 1], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local same = (now[i] or '') == ARGV[at]
  local tags, first = tonumber(ARGV[at + 4]), at + 5
  at = first + 2 * tags
  for tag = first, at - 1, 2 do
    same = same and (now[entries + tonumber(ARGV[tag])] or '') == ARGV[tag + 1]
  end
  local due, absolute
  before, due = string.gsub(before, '^%?', '')
  ttl, absolute = string.gsub(ttl, '^@', '')
  local unit = absolute == 1 and 'PXAT' or 'PX'
  if same and before ~= '' then
    local held = redis.pcall('GET', key)
    same = type(held) == 'string' and redis.sha1hex(held) == before or not held and due == 1
    if same then redis.call('SET', key, value, unit, ttl) end
  elseif same then
    same = redis.call('SET', key, value, unit, ttl, 'NX')
  end
  stored[i] = same and 1 or 0
  if same then
    for tag = first, at - 1, 2 do
      redis.call(absolute == 1 and 'PEXPIREAT' or 'PEXPIRE', KEYS[2 * entries + tonumber(ARGV[tag])], ttl, 'GT')
    end
  end
end
return stored
