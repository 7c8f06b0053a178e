-- KEYS: lock. ARGV: token, time to live in ms.
-- Gives a lock that has this token at least this lifetime: extensions may arrive in another order than
-- they left, and once more. Returns 1, or 0 if the lock is not of this token.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
