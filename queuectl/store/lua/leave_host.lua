-- Takes a host off the pools it shares, if this daemon runs its workers.
-- KEYS: 1 the host's supervisor, 2 hash of capacities by host. ARGV: 1 daemon id, 2 host, then pools.
-- Returns: 1 left, 0 it was not ours.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for position = 3, #ARGV do redis.call('ZREM', '@OURS@:pool:' .. ARGV[position] .. ':hosts', ARGV[2]) end
redis.call('HDEL', KEYS[2], ARGV[2])
return redis.call('DEL', KEYS[1])
