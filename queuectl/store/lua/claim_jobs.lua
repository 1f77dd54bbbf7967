-- Claims up to N jobs over several queues in order, with every effect RQ's own tools look for.
-- KEYS: 1 worker hash, 2 worker's executions set
-- ARGV: 1 worker name, 2 jobs wanted, 3 lease (s), 4 execution id prefix (unique a call), 5 id prefix of our own
--       messages, 6 most jobs from queues that share slots, 7 global rate (/s; 0 none), 8 its burst, then a queue:
--       name, most jobs from it, most of our own messages (-1: as many), shares slots (1 or ''), rate, burst, number of
--       routes; and a route: provider, rate,
--       burst, adaptive (1 or ''), warm-up schedule ('' none)
-- Returns: {suspended (1/0), seconds until a limit that held jobs back gives way ('' none did), suppressing (1/0), job,
--          job, ...}; job = {queue, id, execution id, data ('' for foreign jobs), age (s), attempts, ordering key,
--          losses, provider, probe ('1' or '')}
-- @include clock
-- @include age
-- @include control
-- @include push
-- @include order
-- @include surge
-- @include rate
if redis.call('EXISTS', '@RQ@:suspended') == 1 then return {1, '', 0} end
local worker, wanted, lease, prefix, ours = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local deadline, stamp = string.format('%.3f', now + lease), string.format('%.6f', now)
local claimed, members, looked_at = {}, {}, 0
local WAIT_BASE = math.log(1.5)
local MOST_TOUCHED = 1000
-- While newest goes first, one claim in so many is the oldest: policy/direction.py's `oldest_among`, number for number.
local OLDEST_EVERY = 5

local function is_stale(control, record)
  if control.shed ~= 'on' or record[10] then return false end
  local born = epoch(record[2])
  return born and now - born > (tonumber(record[5] or '') or control.max_age)
end

local function begin(name, id, execution)
  local member = id .. ':' .. execution
  redis.call('HSET', '@RQ@:job:' .. id, 'status', 'started', 'started_at', now_iso, 'last_heartbeat', now_iso,
    'worker_name', worker)
  local key = '@RQ@:execution:' .. member
  redis.call('HSET', key, 'id', execution, 'job_id', id, 'created_at', stamp, 'last_heartbeat', stamp, 'worker_name',
    worker)
  redis.call('ZADD', '@RQ@:executions:' .. id, deadline, execution)
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

local function take(tally, id, record)
  local execution = prefix .. string.format('%04x', #claimed)
  local member = begin(tally.name, id, execution)
  tally.taken = tally.taken + 1
  tally.wip[#tally.wip + 1] = deadline
  tally.wip[#tally.wip + 1] = member
  members[#members + 1] = member
  local provider = nil
  local own = string.sub(id, 1, #ours) == ours
  if own then
    tally.sent = tally.sent + 1
    provider = tally.provider
  elseif not record[8] then
    redis.call('HSET', '@RQ@:job:' .. id, 'adopted', '1')
    tally.adopted = tally.adopted + 1
  end
  local born = epoch(record[2]) or now
  if not record[4] then
    local queued = epoch(record[3]) or born
    local bucket = math.max(0, math.ceil(math.log(math.max(now - queued, 0.001) / 0.001) / WAIT_BASE))
    tally.waits[bucket] = (tally.waits[bucket] or 0) + 1
  end
  claimed[#claimed + 1] = {tally.name, id, execution, own and record[1] or '', string.format('%.3f', now - born),
    record[4] or '', record[6] or '', record[7] or '0', provider and provider.name or '',
    provider and provider.state == 'probe' and '1' or ''}
end

-- Sheds a stale message. One with an ordering key takes along all that is held behind it: a suffix, never a hole. A hot
-- key with more than that is spared. False: this call may not touch so many any more.
local function shed_stale(tally, id, record, room)
  if not record[6] then
    tally.staged[#tally.staged + 1] = id
    return true
  end
  local held = held_behind(tally.name, record[6], id)
  if held > MOST_CUT then
    take(tally, id, record)
  elseif held > room then
    return false
  else
    looked_at = looked_at + held
    cut_key(tally.name, record[6], id, tally.cut)
  end
  return true
end

-- Takes up to `number` ids off one end of the queue. Returns how many it found there.
local function take_from(tally, pop, number)
  local next_ones = leading(tally.key, pop, number, tally.tokens - tally.sent)
  local ids = next_ones > 0 and redis.call(pop, tally.key, next_ones) or {}
  looked_at = looked_at + #ids
  local left = {}
  for _, id in ipairs(ids) do
    local record = redis.call('HMGET', '@RQ@:job:' .. id, 'data', 'created_at', 'enqueued_at', 'number_of_retries',
      'max_age_s', 'ordering_key', 'losses', 'adopted', 'superseded', 'spared')
    if not record[1] then
      tally.vanished = tally.vanished + 1
      note_gone(tally.name, id)
    elseif record[9] then
      tally.superseded = tally.superseded + 1
      tally.gone[#tally.gone + 1] = '@RQ@:job:' .. id
      tally.gone[#tally.gone + 1] = '@RQ@:results:' .. id
    elseif not is_stale(tally.control, record) then
      take(tally, id, record)
    elseif not shed_stale(tally, id, record, MOST_TOUCHED - looked_at) then
      table.insert(left, 1, id)
    end
  end
  if #left > 0 then
    push_all(pop == 'LPOP' and 'LPUSH' or 'RPUSH', tally.key, left)
    looked_at = MOST_TOUCHED
  end
  return #ids
end

-- Newest first, but for the share of the oldest. `owed`: that share so far, times OLDEST_EVERY, less what it has got.
local function take_both_ends(tally, number)
  number = math.min(number, redis.call('LLEN', tally.key))
  local likely = math.min(number, tally.tokens - tally.sent)
  local oldest = math.min(number, math.max(0, math.floor((tally.owed + likely) / OLDEST_EVERY)))
  local before = tally.taken
  local found = oldest > 0 and take_from(tally, 'LPOP', oldest) or 0
  tally.owed = tally.owed - OLDEST_EVERY * (tally.taken - before)
  if number > oldest then found = found + take_from(tally, 'RPOP', number - oldest) end
  tally.owed = tally.owed + tally.taken - before
  return found
end

-- Writes down what a call did to one queue.
local function settle(tally)
  local name, ledger = tally.name, '@OURS@:ledger:' .. tally.name
  push_all('ZADD', '@RQ@:wip:' .. name, tally.wip)
  for owner, ids in pairs({claim = tally.staged, order = tally.cut}) do
    if #ids > 0 then
      push_all('RPUSH', '@OURS@:staging:' .. name .. ':' .. owner, ids)
      redis.call('HINCRBY', '@OURS@:staged:' .. name, owner, #ids)
    end
  end
  unlink_all(tally.gone)
  local counts = {vanished = tally.vanished, adopted = tally.adopted, claimed = tally.taken,
    superseded = tally.superseded}
  for what, number in pairs(counts) do
    if number > 0 then redis.call('HINCRBY', ledger, what, number) end
  end
  for bucket, count in pairs(tally.waits) do redis.call('HINCRBY', '@OURS@:waits:' .. name, bucket, count) end
end

-- `tokens`: most of our own messages. Returns how many of those it took.
local function claim_from(name, most, tokens, provider)
  local control = read_control(name)
  if control.pause == 'on' then return 0 end
  fill_primary(name, control, math.min(most, MOST_TOUCHED - looked_at))
  local tally = {name = name, key = '@RQ@:queue:' .. name, control = control, tokens = tokens, provider = provider,
    taken = 0, sent = 0, vanished = 0, adopted = 0, superseded = 0, wip = {}, staged = {}, cut = {}, gone = {},
    waits = {}}
  local newest_first = control.direction == 'lifo' and not control.assist
  local control_key = '@OURS@:control:' .. name
  if newest_first then tally.owed = tonumber(redis.call('HGET', control_key, 'oldest_owed') or '0') end
  -- While shedding, few at a time: what is held behind them may have to go along.
  local slice = control.shed == 'on' and MOST_TOUCHED / 10 or MOST_TOUCHED
  while tally.taken < most and looked_at < MOST_TOUCHED do
    local number = math.min(most - tally.taken, MOST_TOUCHED - looked_at, slice)
    local found
    if newest_first then found = take_both_ends(tally, number) else found = take_from(tally, 'LPOP', number) end
    if found == 0 then break end
  end
  if newest_first and tally.taken > 0 then redis.call('HSET', control_key, 'oldest_owed', tally.owed) end
  settle(tally)
  return tally.sent
end

local shared, shortest_wait = tonumber(ARGV[6]), math.huge
local everything = limit_of('@OURS@:rate:global', ARGV[7], ARGV[8])

-- Takes within every limit that applies, all of them or none a message; a limit is charged for what was taken only.
local function claim_within(name, most, own_most, limits, provider)
  local tokens = own_most
  for _, limit in ipairs(limits) do tokens = math.min(tokens, tokens_of(limit)) end
  local state = provider and provider.state
  if provider then tokens = math.min(tokens, openness(provider)) end
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
    if not provider or closed(provider) then
      provider = provider_of(ARGV[position], ARGV[position + 1], ARGV[position + 2], ARGV[position + 3],
        ARGV[position + 4])
    end
    position = position + 5
  end
  if provider then limits[3] = provider.limit end
  if most > 0 and looked_at < MOST_TOUCHED then
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
