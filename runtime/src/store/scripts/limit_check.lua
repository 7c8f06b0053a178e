-- KEYS: for each limit its keys: 'fixed' and 'look' counter; 'sliding' counter, previous counter; 'bucket' hash.
-- ARGV: now in ms; then for each limit: algorithm, units, window in ms, refill, cost, what it adds.
-- Takes from every limit or from none. Returns 1 or 0, then two numbers for each limit, as it held
-- them before: counter and previous counter, or time of refill and tokens.
local now = tonumber(ARGV[1])
local parts, took, k = {}, 1, 1
for a = 2, #ARGV, 6 do
  local part = {algorithm = ARGV[a], key = KEYS[k], units = tonumber(ARGV[a + 1]), window = tonumber(ARGV[a + 2]),
    refill = tonumber(ARGV[a + 3]), cost = tonumber(ARGV[a + 4]), add = tonumber(ARGV[a + 5])}
  local window, left = part.window
  k = k + 1
  if part.algorithm == 'bucket' then
    part.held = redis.call('HMGET', part.key, 'refilledAt', 'tokens')
    local at, tokens = now, part.units
    if part.held[1] then
      at, tokens = tonumber(part.held[1]), tonumber(part.held[2] or part.units)
      if now >= at + window then
        local intervals = math.floor((now - at) / window)
        tokens = tokens + intervals * part.refill
        at = at + intervals * window
      end
      tokens = math.min(part.units, tokens)
    end
    left = tokens - part.cost
    part.at, part.left = at, left
    part.lifetime = math.ceil((part.units - left) / part.refill) * window + 10000
  elseif part.algorithm == 'sliding' then
    part.held = redis.call('MGET', part.key, KEYS[k])
    local previous = math.floor((1 - now % window / window) * (part.held[2] or 0))
    left = part.units - previous - (part.held[1] or 0) - part.cost
    part.lifetime = math.max(window * 2 + 1000, window * 2 - now % window + 10000)
    k = k + 1
  else
    part.lifetime = math.max(window, window - now % window + 10000)
    if part.algorithm == 'look' then
      part.held = {redis.call('GET', part.key)}
      left = part.units - (part.held[1] or 0) - part.cost
    end
  end
  if left and left < 0 and part.cost > 0 then took = 0 end
  parts[#parts + 1] = part
end
-- One command says what a fixed window held and takes from it; what was too much is taken back.
local function take(part)
  local sum = redis.pcall('INCRBY', part.key, part.add)
  if type(sum) == 'table' then return sum end
  part.sum = sum
end
local function take_back()
  for _, part in ipairs(parts) do
    if part.sum == part.add then
      redis.call('DEL', part.key)
    elseif part.sum then
      redis.call('INCRBY', part.key, -part.add)
    end
    part.sum = nil
  end
end
for _, part in ipairs(parts) do
  if part.algorithm == 'fixed' then
    local failure
    if took == 1 then
      failure = take(part)
      if not failure then
        part.held = {part.sum - part.add}
        if part.sum > part.units then
          took = 0
          take_back()
        end
      end
    else
      part.held = {redis.call('GET', part.key)}
    end
    if failure then
      take_back()
      return failure
    end
  end
end
local reply = {took}
for _, part in ipairs(parts) do
  reply[#reply + 1] = part.held[1]
  reply[#reply + 1] = part.held[2] or false
end
if took == 0 then return reply end
for _, part in ipairs(parts) do
  if part.add > 0 and not part.sum and not part.at then
    local failure = take(part)
    if failure then
      take_back()
      return failure
    end
  end
end
for _, part in ipairs(parts) do
  if part.at and part.add > 0 then
    redis.call('HSET', part.key, 'refilledAt', part.at, 'tokens', part.left)
    redis.call('PEXPIRE', part.key, part.lifetime)
  elseif part.sum and part.sum == part.add then
    redis.call('PEXPIRE', part.key, part.lifetime)
  end
end
return reply
