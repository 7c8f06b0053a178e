-- KEYS: the sorted set of an hour. ARGV: its lifetime in ms, so many names come first, so many in all, who has no
-- name; then for each sum: how many, the identifier as JSON, 'true' or 'false', '1' for a name that is frequent.
-- Counts under 'who has no name' whoever would be one name too many for the set, whichever process asks.
local key, others = KEYS[1], ARGV[4]
local function member(name, success)
  return '{"identifier":' .. name .. ',"success":' .. success .. '}'
end
local asked = {}
for a = 5, #ARGV, 4 do
  asked[#asked + 1] = member(ARGV[a + 1], 'true')
  asked[#asked + 1] = member(ARGV[a + 1], 'false')
end
local known, names = {}, 0
local function learn(name)
  if name and name ~= others and not known[name] then
    known[name] = true
    names = names + 1
  end
end
local is_new, is_unknown = false, false
local scores = redis.call('ZMSCORE', key, unpack(asked))
for i = 1, #scores, 2 do
  local name = ARGV[5 + (i - 1) * 2 + 1]
  if scores[i] or scores[i + 1] then
    learn(name)
  else
    is_new = true
    if name ~= others then is_unknown = true end
  end
end
if is_unknown then
  local most = tonumber(ARGV[3])
  -- More than two for each name is what other software wrote: there is no room for more.
  if redis.call('ZCARD', key) > 2 * most + 2 then
    names = most
  else
    for _, held in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      learn(string.match(held, '^{"identifier":(.*),"success":%a+}$'))
    end
  end
end
for a = 5, #ARGV, 4 do
  local name = ARGV[a + 1]
  local room = tonumber(ARGV[a + 3] == '1' and ARGV[3] or ARGV[2])
  if not known[name] and name ~= others then
    if names < room then learn(name) else name = others end
  end
  redis.call('ZINCRBY', key, ARGV[a], member(name, ARGV[a + 2]))
end
if is_new then redis.call('PEXPIRE', key, ARGV[1]) end
return names
