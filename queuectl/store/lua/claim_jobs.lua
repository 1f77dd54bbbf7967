-- Claims up to N jobs over several queues in order, with every effect RQ's own tools look for.
-- KEYS: 1 worker hash, 2 worker's executions set
-- ARGV: 1 worker name, 2 jobs wanted, 3 lease (s), 4 execution id prefix (unique a call), 5 id prefix of our own
--       messages, 6 most jobs from queues that share slots, 7 global rate (/s; 0 none), 8 its burst, then a queue:
--       name, most jobs from it, most of our own messages (-1: as many), shares slots (1 or ''), rate, burst, number of routes; and a route: provider, rate,
--       burst, adaptive (1 or '')
-- Returns: {suspended (1/0), seconds until a limit that held jobs back gives way ('' none did), suppressing (1/0), job,
--          job, ...}; job = {queue, id, execution id, data ('' for foreign jobs), age (s), attempts, ordering key,
--          losses, provider, probe ('1' or '')}
-- @include clock
-- @include age
-- @include control
-- @include push
-- @include rate
if redis.call('EXISTS', '@RQ@:suspended') == 1 then return {1, '', 0} end
local worker, wanted, lease, prefix, ours = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local deadline = string.format('%.3f', now + lease)
local claimed, members, looked_at = {}, {}, 0
local WAIT_BASE = math.log(1.5)

local function is_stale(control, record)
  if control.shed ~= 'on' or record[6] then return false end
  local born = epoch(record[2])
  return born and now - born > (tonumber(record[5] or '') or control.max_age)
end

local function begin(name, id, execution)
  local member = id .. ':' .. execution
  redis.call('HSET', '@RQ@:job:' .. id, 'status', 'started', 'started_at', now_iso, 'last_heartbeat', now_iso,
    'worker_name', worker)
  local key = '@RQ@:execution:' .. member
  redis.call('HSET', key, 'id', execution, 'job_id', id, 'created_at', now, 'last_heartbeat', now, 'worker_name', worker)
  redis.call('EXPIRE', key, 86400)
  local registry = '@RQ@:executions:' .. id
  redis.call('ZADD', registry, deadline, execution)
  redis.call('EXPIRE', registry, 86400)
  return member
end

-- How many of the next ids to take, so that at most `tokens` of them are our own messages: stock jobs need none.
local function leading(key, pop, most, tokens)
  if tokens >= most then return most end
  local first = pop == 'LPOP' and 0 or -most
  local ids = redis.call('LRANGE', key, first, first + most - 1)
  for count = 1, #ids do
    local id = ids[pop == 'LPOP' and count or #ids + 1 - count]
    if string.sub(id, 1, #ours) == ours then tokens = tokens - 1 end
    if tokens < 0 then return count - 1 end
  end
  return #ids
end

-- `tokens`: most of our own messages. Returns how many of those it took.
local function claim_from(name, most, tokens, provider)
  local control = read_control(name)
  if control.pause == 'on' then return 0 end
  local key = '@RQ@:queue:' .. name
  local pop = (control.direction == 'lifo' and not control.assist) and 'RPOP' or 'LPOP'
  local wip, staged, waits = {}, {}, {}
  local vanished, adopted, taken, sent = 0, 0, 0, 0
  while taken < most and looked_at < 1000 do
    local next_ones = leading(key, pop, math.min(most - taken, 1000 - looked_at), tokens - sent)
    local ids = next_ones > 0 and redis.call(pop, key, next_ones)
    if not ids or #ids == 0 then break end
    for _, id in ipairs(ids) do
      looked_at = looked_at + 1
      local job_key = '@RQ@:job:' .. id
      local record = redis.call('HMGET', job_key, 'data', 'created_at', 'enqueued_at', 'number_of_retries',
        'max_age_s', 'ordering_key', 'losses', 'adopted')
      if not record[1] then
        vanished = vanished + 1
      elseif is_stale(control, record) then
        staged[#staged + 1] = id
      else
        taken = taken + 1
        local execution = prefix .. string.format('%04x', #claimed)
        local member = begin(name, id, execution)
        wip[#wip + 1] = deadline
        wip[#wip + 1] = member
        members[#members + 1] = member
        local own = string.sub(id, 1, #ours) == ours
        if own then sent = sent + 1 end
        if not own and not record[8] then
          redis.call('HSET', job_key, 'adopted', '1')
          adopted = adopted + 1
        end
        local born = epoch(record[2]) or now
        local queued = epoch(record[3]) or born
        if not record[4] then
          local bucket = math.max(0, math.ceil(math.log(math.max(now - queued, 0.001) / 0.001) / WAIT_BASE))
          waits[bucket] = (waits[bucket] or 0) + 1
        end
        claimed[#claimed + 1] = {name, id, execution, own and record[1] or '', string.format('%.3f', now - born),
          record[4] or '', record[6] or '', record[7] or '0',
          own and provider and provider.name or '', own and provider and provider.state == 'probe' and '1' or ''}
      end
    end
  end
  if #wip > 0 then push_all('ZADD', '@RQ@:wip:' .. name, wip) end
  if #staged > 0 then
    push_all('RPUSH', '@OURS@:staging:' .. name .. ':claim', staged)
    redis.call('HINCRBY', '@OURS@:staged:' .. name, 'claim', #staged)
  end
  local ledger = '@OURS@:ledger:' .. name
  if vanished > 0 then redis.call('HINCRBY', ledger, 'vanished', vanished) end
  if adopted > 0 then redis.call('HINCRBY', ledger, 'adopted', adopted) end
  if taken > 0 then redis.call('HINCRBY', ledger, 'claimed', taken) end
  for bucket, count in pairs(waits) do redis.call('HINCRBY', '@OURS@:waits:' .. name, bucket, count) end
  return sent
end

local shared, shortest_wait = tonumber(ARGV[6]), math.huge
local everything = limit_of('@OURS@:rate:global', ARGV[7], ARGV[8])

-- Takes within every limit that applies, all of them or none a message; a limit is charged for what was taken only.
local function claim_within(name, most, own_most, limits, provider)
  local tokens = own_most
  for _, limit in ipairs(limits) do tokens = math.min(tokens, tokens_of(limit)) end
  local state = provider and provider.state
  if state == 'suspended' then tokens = 0 elseif state == 'probe' then tokens = math.min(tokens, 1) end
  local sent = claim_from(name, most, tokens, provider)
  if sent > 0 then
    for _, limit in ipairs(limits) do spend(limit, sent) end
    if provider then use_provider(provider, sent) end
  end
  if tokens < most and tokens < own_most and sent == tokens and (state or 'open') == 'open' and redis.call('LLEN', '@RQ@:queue:' .. name) > 0 then
    local wait = 0
    for _, limit in ipairs(limits) do
      wait = math.max(wait, wait_for(limit, math.min(most, math.max(1, math.floor(limit.burst / 2)))))
    end
    shortest_wait = math.min(shortest_wait, wait)
  end
end

local position = 9
while position <= #ARGV do
  local name, own_most, before, provider = ARGV[position], tonumber(ARGV[position + 2]), #claimed, nil
  local shares = ARGV[position + 3] == '1'
  local most = math.min(tonumber(ARGV[position + 1]), wanted - before, shares and shared or wanted)
  local limits = {everything, limit_of('@OURS@:rate:queue:' .. name, ARGV[position + 4], ARGV[position + 5])}
  local routes = tonumber(ARGV[position + 6])
  position = position + 7
  for _ = 1, routes do
    if not provider or provider.state == 'suspended' then
      provider = provider_of(ARGV[position], ARGV[position + 1], ARGV[position + 2], ARGV[position + 3])
    end
    position = position + 4
  end
  if provider then limits[3] = provider.limit end
  if most > 0 and looked_at < 1000 then
    claim_within(name, most, own_most < 0 and math.huge or own_most, limits, provider)
    if shares then shared = shared - (#claimed - before) end
  end
end
if #members > 0 then
  push_all('SADD', KEYS[2], members)
  redis.call('EXPIRE', KEYS[2], 86400)
  if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'state', 'busy') end
  -- A worker that was taken for dead claims on before it registers again: repair must find it should it die now.
  redis.call('ZADD', '@OURS@:workers', 'NX', now, worker)
end
local wait = shortest_wait < math.huge and string.format('%.4f', shortest_wait) or ''
return {0, wait, redis.call('EXISTS', '@OURS@:suppressed'), unpack(claimed)}
