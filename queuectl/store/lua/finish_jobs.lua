-- Ends a batch of executions. An execution that lost its lease is left alone: repair gave its job to someone else. A
-- job whose record another tool deleted meanwhile is not written again: delivered, or else counted as vanished.
-- KEYS: 1 worker hash, 2 worker's executions set
-- ARGV: 1 worker name, 2 busy seconds of the batch, 3 keep delivered (s), 4 failure ttl (s), 5 number of queues with
--       delivered messages that have no ordering key, then for each its name and those messages, one a line as job
--       id:execution id; then 9 a job of the rest: queue, id, execution id, outcome (d delivered, r retry, f
--       failed, b back to the queue uncounted, h uncounted after a delay), delay (s, for r, h), attempts to record (for
--       r, f), error (zlib+base64 as rq's results store it, for f), ordering key, reason
-- Returns: number of jobs whose lease was lost.
-- @include clock
-- @include control
-- @include push
-- @include order
local worker, keep, failure_ttl = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local controls, counts, back, gone, members = {}, {}, {}, {}, {}
local lost, delivered, failed = 0, 0, 0

local function control_of(name)
  controls[name] = controls[name] or read_control(name)
  return controls[name]
end
local function count(name, what, number)
  counts[name] = counts[name] or {}
  counts[name][what] = (counts[name][what] or 0) + (number or 1)
end
local function bury(list, ...)
  for _, key in ipairs({...}) do list[#list + 1] = key end
end
local function let_next_go(name, ordering_key, id)
  if ordering_key ~= '' then
    local control = control_of(name)
    release_next(name, ordering_key, id, control.direction, control.assist)
  end
end

local finish = {}
local function drop_delivered(name, id, job_key)
  if keep > 0 and redis.call('EXISTS', job_key) == 1 then
    redis.call('HSET', job_key, 'status', 'finished', 'ended_at', now_iso)
    redis.call('EXPIRE', job_key, keep)
    redis.call('ZADD', '@RQ@:finished:' .. name, now + keep, id)
  else
    bury(gone, job_key, '@RQ@:results:' .. id)
  end
end
function finish.d(name, id, job_key, first)
  count(name, 'delivered')
  delivered = delivered + 1
  drop_delivered(name, id, job_key)
  let_next_go(name, ARGV[first + 7], id)
end
function finish.r(name, id, job_key, first)
  count(name, 'retried')
  redis.call('HSET', job_key, 'status', 'scheduled', 'number_of_retries', ARGV[first + 5], 'reason', ARGV[first + 8])
  redis.call('ZADD', '@RQ@:scheduled:' .. name, now + tonumber(ARGV[first + 4]), id)
  if ARGV[first + 7] ~= '' then note_blocked(name, ARGV[first + 7], id, now) end
end
function finish.f(name, id, job_key, first)
  count(name, 'failed')
  failed = failed + 1
  redis.call('HSET', job_key, 'status', 'failed', 'ended_at', now_iso, 'number_of_retries', ARGV[first + 5],
    'reason', ARGV[first + 8])
  redis.call('ZADD', '@RQ@:failed:' .. name, now + failure_ttl, id)
  local results = '@RQ@:results:' .. id
  redis.call('XADD', results, 'MAXLEN', '10', '*', 'type', '2', 'worker_name', worker, 'exc_string', ARGV[first + 6],
    'execution_id', ARGV[first + 2], 'execution_ended_at', now)
  redis.call('EXPIRE', results, failure_ttl)
  let_next_go(name, ARGV[first + 7], id)
end
function finish.b(name, id, job_key, _)
  count(name, 'handed_back')
  redis.call('HSET', job_key, 'status', 'queued')
  back[name] = back[name] or {}
  table.insert(back[name], 1, id)
end
function finish.h(name, id, job_key, first)
  count(name, 'handed_back')
  redis.call('HSET', job_key, 'status', 'scheduled')
  redis.call('ZADD', '@RQ@:scheduled:' .. name, now + tonumber(ARGV[first + 4]), id)
  if ARGV[first + 7] ~= '' then note_blocked(name, ARGV[first + 7], id, now) end
end
local function vanish(name, id, first)
  count(name, 'vanished')
  let_next_go(name, ARGV[first + 7], id)
end

-- What nearly all messages come to: few commands for many of them.
local function deliver_all(name, lines)
  local ended = {}
  for member in string.gmatch(lines, '[^\n]+') do
    ended[#ended + 1] = member
    members[#members + 1] = member
  end
  local wip, held = '@RQ@:wip:' .. name, {}
  local deadlines = redis.call('ZMSCORE', wip, unpack(ended))
  for position, member in ipairs(ended) do
    if deadlines[position] then
      local id = string.match(member, '^(.*):')
      held[#held + 1] = member
      drop_delivered(name, id, '@RQ@:job:' .. id)
      bury(gone, '@RQ@:execution:' .. member, '@RQ@:executions:' .. id)
    end
  end
  push_all('ZREM', wip, held)
  if #held > 0 then count(name, 'delivered', #held) end
  if #ended > #held then count(name, 'lease_lost', #ended - #held) end
  delivered, lost = delivered + #held, lost + #ended - #held
end

local rest = 6 + 2 * tonumber(ARGV[5])
for position = 6, rest - 1, 2 do deliver_all(ARGV[position], ARGV[position + 1]) end
for first = rest, #ARGV, 9 do
  local name, id, member = ARGV[first], ARGV[first + 1], ARGV[first + 1] .. ':' .. ARGV[first + 2]
  members[#members + 1] = member
  if redis.call('ZREM', '@RQ@:wip:' .. name, member) == 1 then
    local job_key, outcome = '@RQ@:job:' .. id, ARGV[first + 3]
    if outcome ~= 'd' and redis.call('EXISTS', job_key) == 0 then
      vanish(name, id, first)
    else
      finish[outcome](name, id, job_key, first)
    end
    bury(gone, '@RQ@:execution:' .. member, '@RQ@:executions:' .. id)
  else
    lost = lost + 1
    count(name, 'lease_lost')
  end
end
for name, ids in pairs(back) do
  -- Last first: the first of the batch is the next to be claimed.
  local control = control_of(name)
  push_next(name, ids, control.direction, control.assist)
end
for name, kinds in pairs(counts) do
  for what, number in pairs(kinds) do redis.call('HINCRBY', '@OURS@:ledger:' .. name, what, number) end
end
push_all('SREM', KEYS[2], members)
unlink_all(gone)
if redis.call('EXISTS', KEYS[1]) == 1 then
  if delivered > 0 then redis.call('HINCRBY', KEYS[1], 'successful_job_count', delivered) end
  if failed > 0 then redis.call('HINCRBY', KEYS[1], 'failed_job_count', failed) end
  redis.call('HINCRBYFLOAT', KEYS[1], 'total_working_time', ARGV[2])
end
return lost
