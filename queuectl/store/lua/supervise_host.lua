-- Lets one daemon a host run its workers, and says which hosts share each pool and how many workers each host holds.
-- KEYS: 1 the host's supervisor, 2 hash of capacities by host, 3 set of pools
-- ARGV: 1 daemon id (host:pid), 2 how long this holds (ms), 3 host, 4 seconds a host counts after its last call,
--       5 most workers on this host, then the pools that its settings name
-- Returns: {1, {host, capacity, ...}, pool, {host, ...}, pool, ...} over the pools of all hosts, or {0} when another daemon
--          runs this host's workers. What hosts had reserved that are gone is dropped.
-- @include clock
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return {0} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[5])
local function key_of(pool) return '@OURS@:pool:' .. pool .. ':hosts' end
local pools, listed, living = redis.call('SMEMBERS', KEYS[3]), {}, {[ARGV[3]] = true}
for _, pool in ipairs(pools) do listed[pool] = true end
for position = 6, #ARGV do
  redis.call('ZADD', key_of(ARGV[position]), now, ARGV[3])
  if not listed[ARGV[position]] then pools[#pools + 1] = ARGV[position] end
end
local shared = {}
for _, pool in ipairs(pools) do
  redis.call('ZREMRANGEBYSCORE', key_of(pool), '-inf', now - tonumber(ARGV[4]))
  local hosts = redis.call('ZRANGE', key_of(pool), 0, -1)
  for _, host in ipairs(hosts) do living[host] = true end
  shared[#shared + 1] = pool
  shared[#shared + 1] = hosts
end
local capacities = redis.call('HGETALL', KEYS[2])
local kept = {}
for position = 1, #capacities, 2 do
  if living[capacities[position]] then
    kept[#kept + 1] = capacities[position]
    kept[#kept + 1] = capacities[position + 1]
  else
    redis.call('HDEL', KEYS[2], capacities[position])
  end
end
return {1, kept, unpack(shared)}
