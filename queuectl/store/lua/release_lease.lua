-- Gives the lease up, if it is still ours, and takes the host off the list.
-- KEYS: 1 lease, 2 zset of hosts. ARGV: 1 lease value, 2 host. Returns: 1 released, 0 it was not ours.
redis.call('ZREM', KEYS[2], ARGV[2])
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
