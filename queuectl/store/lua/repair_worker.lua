-- Gives back what a dead worker held: to the claiming end of each queue, or to failed after too many losses (poison), or
-- because it may have arrived and its queue holds such messages (mark_sent.lua has noted it).
-- KEYS: 1 worker's executions set, 2 zset of our workers' heartbeats
-- ARGV: 1 fence, 2 worker name, 3 its heartbeat must be older than this (epoch s), 4 losses that make poison,
--       5 failure ttl (s), 6 error text of poison, 7 of ambiguous ones (zlib+base64 as rq's results store it)
-- Returns: {requeued, poisoned, ambiguous, left (1 when more remains; call again)}
-- @include fence
-- @include clock
-- @include control
-- @include push
-- @include order
local worker = ARGV[2]
local heartbeat = redis.call('ZSCORE', KEYS[2], worker)
if not heartbeat or tonumber(heartbeat) > tonumber(ARGV[3]) then return {0, 0, 0, 0} end
local members = redis.call('SRANDMEMBER', KEYS[1], 1000)
local back, poisoned, ambiguous, requeued = {}, 0, 0, 0

local function give_up(name, id, job_key, ordering_key, reason, error)
  redis.call('HSET', job_key, 'status', 'failed', 'ended_at', now_iso, 'reason', reason)
  redis.call('ZADD', '@RQ@:failed:' .. name, now + tonumber(ARGV[5]), id)
  local results = '@RQ@:results:' .. id
  redis.call('XADD', results, 'MAXLEN', '10', '*', 'type', '2', 'worker_name', worker, 'exc_string', error)
  redis.call('EXPIRE', results, ARGV[5])
  redis.call('HINCRBY', '@OURS@:ledger:' .. name, 'failed', 1)
  if ordering_key then
    local control = read_control(name)
    release_next(name, ordering_key, id, control.direction, control.assist)
  end
end

-- The queue whose started registry held the member, which is dropped from it; nil: no registry did.
local function drop_lease(member, origin)
  if origin and redis.call('ZREM', '@RQ@:wip:' .. origin, member) == 1 then return origin end
  for _, key in ipairs(redis.call('SMEMBERS', '@RQ@:queues')) do
    local name = string.sub(key, #'@RQ@:queue:' + 1)
    if redis.call('ZREM', '@RQ@:wip:' .. name, member) == 1 then return name end
  end
end

for _, member in ipairs(members) do
  local id, execution = string.match(member, '^(.*):(.*)$')
  local job_key = '@RQ@:job:' .. id
  local record = redis.call('HMGET', job_key, 'origin', 'started_at', 'ordering_key')
  local name = drop_lease(member, record[1])
  if name and not record[1] then
    redis.call('HINCRBY', '@OURS@:ledger:' .. name, 'vanished', 1)
    note_gone(name, id)
  elseif name then
    local losses = redis.call('HINCRBY', job_key, 'losses', 1)
    redis.call('HINCRBY', '@OURS@:ledger:' .. name, 'lost_lease', 1)
    if redis.call('HGET', '@RQ@:execution:' .. member, 'sent') then
      give_up(name, id, job_key, record[3], 'ambiguous: worker died after the message was sent', ARGV[7])
      ambiguous = ambiguous + 1
    elseif losses >= tonumber(ARGV[4]) then
      give_up(name, id, job_key, record[3], 'worker died repeatedly', ARGV[6])
      poisoned = poisoned + 1
    else
      redis.call('HSET', job_key, 'status', 'queued')
      back[name] = back[name] or {}
      -- Claim order: when it was claimed, then its index in that claim, which ends its execution id.
      table.insert(back[name], {(record[2] or '') .. string.sub(member, -4), id})
      requeued = requeued + 1
    end
  end
  redis.call('UNLINK', '@RQ@:execution:' .. member)
  redis.call('ZREM', '@RQ@:executions:' .. id, execution)
  redis.call('SREM', KEYS[1], member)
end
for name, jobs in pairs(back) do
  local control = read_control(name)
  table.sort(jobs, function(a, b) return a[1] > b[1] end)
  local ids = {}
  for _, job in ipairs(jobs) do ids[#ids + 1] = job[2] end
  push_next(name, ids, control.direction, control.assist)
end
if redis.call('SCARD', KEYS[1]) > 0 then return {requeued, poisoned, ambiguous, 1} end
local key = '@RQ@:worker:' .. worker
local queues = redis.call('HGET', key, 'queues')
for name in string.gmatch(queues or '', '[^,]+') do redis.call('SREM', '@RQ@:workers:' .. name, key) end
redis.call('SREM', '@RQ@:workers', key)
redis.call('ZREM', KEYS[2], worker)
redis.call('UNLINK', key, KEYS[1])
return {requeued, poisoned, ambiguous, 0}
