-- Connections to a provider, over all workers: takes new ones up to the limit, renews what a worker holds.
-- KEYS: 1 zset of leases by expiry, 2 provider hash, 3 GCRA state of new connections
-- ARGV: 1 most in all (0: no limit), 2 new ones a second (0: no limit), 3 lease (s), 4 connection to take ('' none),
--       then connections held. What the leading daemon has published goes before 1 and 2.
-- Returns: {1 taken (or none asked for) / 0, seconds until the rate allows it ('' the number does not)}
-- @include clock
-- @include rate
local expiry = string.format('%.3f', now + tonumber(ARGV[3]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.3f', now))
for position = 5, #ARGV do redis.call('ZADD', KEYS[1], expiry, ARGV[position]) end
if ARGV[4] == '' then return {1, ''} end
local most, rate = ARGV[1], ARGV[2]
local published = redis.call('HMGET', KEYS[2], 'limits', 'limits_until')
if published[1] and tonumber(published[2]) > now then most, rate = string.match(published[1], '|([^|]*)|([^|]*)$') end
if tonumber(most) > 0 and redis.call('ZCARD', KEYS[1]) >= tonumber(most) then return {0, ''} end
local limit = limit_of(KEYS[3], rate, 1)
if tokens_of(limit) < 1 then return {0, string.format('%.3f', wait_for(limit, 1))} end
spend(limit, 1)
redis.call('ZADD', KEYS[1], expiry, ARGV[4])
return {1, ''}
