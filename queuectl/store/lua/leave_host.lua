-- Takes a host off the pools it shares, if this daemon runs its workers.
-- KEYS: 1 the host's supervisor. ARGV: 1 daemon id, 2 host, then pools. Returns: 1 left, 0 it was not ours.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for position = 3, #ARGV do redis.call('ZREM', '@OURS@:pool:' .. ARGV[position] .. ':hosts', ARGV[2]) end
return redis.call('DEL', KEYS[1])
