-- KEYS: value, guard, doubt, and so on. ARGV: process, number, guards' time to live in ms, values' time to
-- live in ms (or '@' and the time in ms since the Unix epoch), then for each value: the value, and up to which number the process gave its writes up ('' if it
-- did not).
-- Moves the guards, so that no load under way stores over these values. A write that its process gave up
-- stores nothing. Returns 1, or 0.
local process, number = ARGV[1], tonumber(ARGV[2])
local removed, held = process .. ':removed', {}
for i = 3, #KEYS, 3 do
  held[i] = redis.call('HMGET', KEYS[i], process, removed)
  if tonumber(held[i][1] or 0) >= number then return 0 end
end
local life, absolute = string.gsub(ARGV[4], '^@', '')
local unit = absolute == 1 and 'PXAT' or 'PX'
local at = 5
for i = 1, #KEYS, 3 do
  local doubt, doubted = KEYS[i + 2], ARGV[at + 1]
  if doubted ~= '' then
    -- What was given up stays given up: an older write may be given up after a later one.
    for n, field in ipairs({process, removed}) do
      if tonumber(held[i + 2][n] or 0) < tonumber(doubted) then redis.call('HSET', doubt, field, doubted) end
    end
    redis.call('PEXPIRE', doubt, ARGV[3])
  end
  redis.call('SET', KEYS[i + 1], process .. '.' .. ARGV[2], 'PX', ARGV[3])
  redis.call('SET', KEYS[i], ARGV[at], unit, life)
  at = at + 2
end
return 1
