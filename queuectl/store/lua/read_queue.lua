-- Everything one refresh needs of one queue, in one call that never writes and never looks at more than 20 jobs.
-- KEYS: none. ARGV: 1 id prefix of our own messages, then queue names.
-- Returns: one reply a queue: {name, depth, wip, scheduled, deferred, failed, finished, surge, overflow jobs, overflow
--          bytes, shed jobs, staged, oldest first attempt's age (s or ''), control pairs, policy pairs, ledger pairs,
--          waits pairs, worker keys, now, intermediate (popped by rq, not yet registered),
--          set aside while paused (part of the depth), of overflow what comes back by itself, arrivals on their way to
--          overflow (part of staged), ordering keys blocked by a message that is tried again, since when
--          the longest of them (epoch s or ''), shed totals pairs, overflow totals pairs, 1 when jobs of stock
--          producers were seen that nobody counted in}
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
-- First in, first out, the primary has the oldest; after newest first, surge may.
local function oldest_of(first, second)
  local one, other = oldest(first), oldest(second)
  return (tonumber(other) or 0) > (tonumber(one) or 0) and other or one
end
-- Whether a few ids from the ends of every list tell of stock producers. Of members `id:execution`, it looks at the id.
local function has_foreign(waiting, name)
  local function any(ids)
    for _, id in ipairs(ids) do
      if string.sub(id, 1, #ARGV[1]) ~= ARGV[1] then return true end
    end
    return false
  end
  if any(redis.call('LRANGE', waiting, 0, 9)) or any(redis.call('LRANGE', waiting, -10, -1)) then return true end
  for _, kind in ipairs({'wip', 'scheduled', 'deferred', 'failed'}) do
    if any(redis.call('ZRANGE', '@RQ@:' .. kind .. ':' .. name, 0, 4)) then return true end
  end
  return false
end
local reply = {}
for place = 2, #ARGV do
  local name = ARGV[place]
  local list = '@RQ@:queue:' .. name
  local set_aside = '@OURS@:aside:' .. name
  local aside = redis.call('LLEN', set_aside)
  reply[#reply + 1] = {
    name,
    redis.call('LLEN', list) + aside,
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
    oldest_of(aside > 0 and set_aside or list, '@OURS@:surge:' .. name),
    redis.call('HGETALL', '@OURS@:control:' .. name),
    redis.call('HGETALL', '@OURS@:policy:' .. name),
    redis.call('HGETALL', '@OURS@:ledger:' .. name),
    redis.call('HGETALL', '@OURS@:waits:' .. name),
    redis.call('SMEMBERS', '@RQ@:workers:' .. name),
    tostring(now),
    redis.call('LLEN', list .. ':intermediate'),
    aside,
    total('@OURS@:overflow:' .. name .. ':totals', 'returning'),
    total('@OURS@:staged:' .. name, 'arrivals'),
    redis.call('ZCARD', '@OURS@:blocked:' .. name),
    redis.call('ZRANGE', '@OURS@:blocked:' .. name, 0, 0, 'WITHSCORES')[2] or '',
    redis.call('HGETALL', '@OURS@:shed:' .. name .. ':totals'),
    redis.call('HGETALL', '@OURS@:overflow:' .. name .. ':totals'),
    has_foreign(aside > 0 and set_aside or list, name) and 1 or 0,
  }
end
return reply
