-- Claims up to N jobs over several queues in order, with every effect RQ's own tools look for.
-- KEYS: 1 worker hash, 2 worker's executions set
-- ARGV: 1 worker name, 2 jobs wanted, 3 lease (s), 4 execution id prefix (unique a call), 5 now accepted ids' prefix of
--       our own messages, then 2 a queue: name, most jobs from it
-- Returns: {suspended (1/0), job, job, ...}; job = {queue, id, execution id, data ('' for foreign jobs), age (s),
--          attempts, ordering key, losses}
-- @include clock
-- @include age
-- @include control
-- @include push
if redis.call('EXISTS', '@RQ@:suspended') == 1 then return {1} end
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

local function claim_from(name, most)
  local control = read_control(name)
  if control.pause == 'on' then return end
  local key = '@RQ@:queue:' .. name
  local pop = (control.direction == 'lifo' and not control.assist) and 'RPOP' or 'LPOP'
  local wip, staged, waits = {}, {}, {}
  local vanished, adopted, taken = 0, 0, 0
  while taken < most and looked_at < 1000 do
    local ids = redis.call(pop, key, math.min(most - taken, 1000 - looked_at))
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
          record[4] or '', record[6] or '', record[7] or '0'}
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
end

for position = 6, #ARGV, 2 do
  if #claimed >= wanted or looked_at >= 1000 then break end
  claim_from(ARGV[position], math.min(tonumber(ARGV[position + 1]), wanted - #claimed))
end
if #members > 0 then
  push_all('SADD', KEYS[2], members)
  redis.call('EXPIRE', KEYS[2], 86400)
  redis.call('HSET', KEYS[1], 'state', 'busy')
end
return {0, unpack(claimed)}
