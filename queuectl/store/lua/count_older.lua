-- Estimates how many waiting jobs were created before a moment, by bisection: enqueue order is nearly age order.
-- KEYS: 1 queue list. ARGV: 1 cutoff (epoch s). Returns: a number of jobs.
-- @include age
local low, high = 0, redis.call('LLEN', KEYS[1])
local cutoff = tonumber(ARGV[1])
while low < high do
  local middle = math.floor((low + high) / 2)
  local id = redis.call('LINDEX', KEYS[1], middle)
  local created = id and epoch(redis.call('HGET', '@RQ@:job:' .. id, 'created_at'))
  if not created or created < cutoff then low = middle + 1 else high = middle end
end
return low
