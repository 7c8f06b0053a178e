-- KEYS: for each limit the counter of the window that was taken from, or the hash of the bucket.
-- ARGV: now in ms; then for each limit: algorithm, units, window in ms, refill, what is given back.
-- Gives back no more than the counter holds. Creates no key and leaves every lifetime that has no
-- reason to change.
local now = tonumber(ARGV[1])
local k = 1
for a = 2, #ARGV, 5 do
  local algorithm, key = ARGV[a], KEYS[k]
  local units, window = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local refill, back = tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  k = k + 1
  if algorithm == 'bucket' then
    local held = redis.call('HMGET', key, 'refilledAt', 'tokens')
    if held[1] then
      local at, tokens = tonumber(held[1]), tonumber(held[2] or units)
      if now >= at + window then
        local intervals = math.floor((now - at) / window)
        tokens = tokens + intervals * refill
        at = at + intervals * window
      end
      tokens = math.min(units, math.min(units, tokens) + back)
      redis.call('HSET', key, 'refilledAt', at, 'tokens', tokens)
      local lifetime = math.ceil((units - tokens) / refill) * window
      if lifetime > 0 then redis.call('PEXPIRE', key, lifetime + 10000) end
    end
  else
    local less = math.min(back, tonumber(redis.call('GET', key) or 0))
    if less > 0 then redis.call('INCRBY', key, -less) end
  end
end
return 1
