-- Samples waiting jobs evenly over a queue, in short runs of neighbours: a run costs one walk along the list.
-- KEYS: 1 queue list, 2 its surge list. ARGV: 1 most jobs, 2 jobs in a run, 3 bytes of a job's data to return.
-- Returns: {depth, created_at, beginning of data, created_at, ...}; data that is very long is not loaded: ''.
local primary = redis.call('LLEN', KEYS[1])
local depth = primary + redis.call('LLEN', KEYS[2])
local most, run, bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local reply = {depth}

local function add_of(list, first, last)
  for _, id in ipairs(redis.call('LRANGE', list, first, last)) do
    local key = '@RQ@:job:' .. id
    local data = redis.call('HSTRLEN', key, 'data') <= 65536 and redis.call('HGET', key, 'data') or ''
    reply[#reply + 1] = redis.call('HGET', key, 'created_at') or ''
    reply[#reply + 1] = string.sub(data, 1, bytes)
  end
end

local function add(first, last)
  if first < primary then add_of(KEYS[1], first, math.min(last, primary - 1)) end
  if last >= primary then add_of(KEYS[2], math.max(0, first - primary), last - primary) end
end

if depth <= most then
  add(0, depth - 1)
else
  local runs = math.floor(most / run)
  for number = 0, runs - 1 do
    local first = math.floor(number * (depth - run) / math.max(runs - 1, 1))
    add(first, first + run - 1)
  end
end
return reply
