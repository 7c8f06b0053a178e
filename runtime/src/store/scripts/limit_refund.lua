-- KEYS and ARGV as in limit_check.lua; the cost is what is given back, never more than was taken.
-- Creates no key and leaves every lifetime that has no reason to change.
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
      if lifetime > 0 then redis.call('PEXPIRE', key, lifetime) end
    end
  else
    local keys = {key}
    if algorithm == 'sliding' then
      keys[2] = KEYS[k]
      k = k + 1
    end
    local held = redis.call('MGET', unpack(keys))
    for i, counter in ipairs(keys) do
      local less = math.min(back, tonumber(held[i] or 0))
      if less > 0 then
        redis.call('INCRBY', counter, -less)
        back = back - less
      end
    end
  end
end
return 1
