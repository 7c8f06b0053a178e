-- KEYS: for each limit its keys: 'fixed' counter; 'sliding' counter, previous counter; 'bucket' hash.
-- ARGV: now in ms; then for each limit: algorithm, units, window in ms, refill, cost.
-- Takes from every limit or from none. Returns 1 or 0, then two numbers for each limit, as it held
-- them before: counter and previous counter, or time of refill and tokens.
local now = tonumber(ARGV[1])
local reply, writes = {1}, {}
local k = 1
for a = 2, #ARGV, 5 do
  local algorithm, key = ARGV[a], KEYS[k]
  local units, window = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local refill, cost = tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local held, left
  if algorithm == 'bucket' then
    held = redis.call('HMGET', key, 'refilledAt', 'tokens')
    local at, tokens = now, units
    if held[1] then
      at, tokens = tonumber(held[1]), tonumber(held[2] or units)
      if now >= at + window then
        local intervals = math.floor((now - at) / window)
        tokens = tokens + intervals * refill
        at = at + intervals * window
      end
      tokens = math.min(units, tokens)
    end
    left = tokens - cost
    local lifetime = math.ceil((units - left) / refill) * window
    writes[#writes + 1] = {key, cost, lifetime, at, left}
    k = k + 1
  else
    local lifetime, previous = window, 0
    if algorithm == 'sliding' then
      held = redis.call('MGET', key, KEYS[k + 1])
      previous = math.floor((1 - now % window / window) * (held[2] or 0))
      lifetime = window * 2 + 1000
      k = k + 2
    else
      held = redis.call('MGET', key)
      k = k + 1
    end
    -- MGET answers nil for a hash; where an earlier limit may be written, fail before that.
    if not held[1] and #ARGV > 6 then redis.call('GET', key) end
    left = units - previous - (held[1] or 0) - cost
    writes[#writes + 1] = {key, cost, lifetime}
  end
  if left < 0 then reply[1] = 0 end
  reply[#reply + 1] = held[1]
  reply[#reply + 1] = held[2] or false
end
if reply[1] == 0 then return reply end
for _, write in ipairs(writes) do
  local key, cost, lifetime = write[1], write[2], write[3]
  if write[4] then
    redis.call('HSET', key, 'refilledAt', write[4], 'tokens', write[5])
    redis.call('PEXPIRE', key, lifetime)
  elseif redis.call('INCRBY', key, cost) == cost then
    redis.call('PEXPIRE', key, lifetime)
  end
end
return reply
