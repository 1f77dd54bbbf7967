-- Everything one refresh needs of one queue, in one call that never writes and never looks at more than 10 jobs.
-- KEYS: none. ARGV: queue names.
-- Returns: one reply a queue: {name, depth, wip, scheduled, deferred, failed, finished, surge, overflow jobs, overflow
--          bytes, shed jobs, staged, oldest first attempt's age (s or ''), control pairs, policy pairs, ledger pairs,
--          waits pairs, worker keys, now, intermediate (popped by rq, not yet registered)}
-- @include clock
-- @include age
local function total(key, field) return tonumber(redis.call('HGET', key, field) or '0') end
local function staged_sum(name)
  local sum = 0
  for _, number in ipairs(redis.call('HVALS', '@OURS@:staged:' .. name)) do sum = sum + tonumber(number) end
  return sum
end
local function oldest(list)
  for _, id in ipairs(redis.call('LRANGE', list, 0, 9)) do
    local record = redis.call('HMGET', '@RQ@:job:' .. id, 'enqueued_at', 'number_of_retries', 'created_at')
    if not record[2] then
      local since = epoch(record[3]) or epoch(record[1])
      if since then return string.format('%.3f', math.max(0, now - since)) end
    end
  end
  return ''
end
local reply = {}
for _, name in ipairs(ARGV) do
  local list = '@RQ@:queue:' .. name
  reply[#reply + 1] = {
    name,
    redis.call('LLEN', list),
    redis.call('ZCARD', '@RQ@:wip:' .. name),
    redis.call('ZCARD', '@RQ@:scheduled:' .. name),
    redis.call('ZCARD', '@RQ@:deferred:' .. name),
    redis.call('ZCARD', '@RQ@:failed:' .. name),
    redis.call('ZCARD', '@RQ@:finished:' .. name),
    redis.call('LLEN', '@OURS@:surge:' .. name),
    total('@OURS@:overflow:' .. name .. ':totals', 'jobs'),
    total('@OURS@:overflow:' .. name .. ':totals', 'bytes'),
    total('@OURS@:shed:' .. name .. ':totals', 'jobs'),
    staged_sum(name),
    oldest(list),
    redis.call('HGETALL', '@OURS@:control:' .. name),
    redis.call('HGETALL', '@OURS@:policy:' .. name),
    redis.call('HGETALL', '@OURS@:ledger:' .. name),
    redis.call('HGETALL', '@OURS@:waits:' .. name),
    redis.call('SMEMBERS', '@RQ@:workers:' .. name),
    tostring(now),
    redis.call('LLEN', list .. ':intermediate'),
  }
end
return reply
