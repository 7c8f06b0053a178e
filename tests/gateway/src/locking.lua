local redis = (function(server)
  local declared = {}
  for _, key in ipairs(KEYS) do declared[key] = true end
  local function refusal(...)
    local name = string.upper(tostring(...))
    if name == 'FLUSHALL' or name == 'FLUSHDB' then
      return "ERR Command is not allowed in Lua scripts when 'allow-key-locking' flag is set. Command was: " .. name
    end
    if select('#', ...) < 2 then return end
    local keys = server.pcall('COMMAND', 'GETKEYS', ...)
    if type(keys) ~= 'table' or keys.err then return end
    for _, key in ipairs(keys) do
      if not declared[key] then
        return "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: " .. key
      end
    end
  end
  local function call(...)
    local text = refusal(...)
    if text then error({err = text}) end
    return server.call(...)
  end
  local function pcall(...)
    local text = refusal(...)
    if text then return {err = text} end
    return server.pcall(...)
  end
  return setmetatable({call = call, pcall = pcall}, {__index = server})
end)(redis)
