-- KEYS: tags. ARGV: time to live in ms, nonce. Makes the tags that are absent, and gives each at least this life.
-- Returns their nonces.
for _, key in ipairs(KEYS) do
  if not redis.call('SET', key, ARGV[2], 'PX', ARGV[1], 'NX') then
    redis.call('PEXPIRE', key, ARGV[1], 'GT')
  end
end
return redis.call('MGET', unpack(KEYS))
