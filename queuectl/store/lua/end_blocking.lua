-- Lets the next message go where the head of an ordering key has been tried again for too long.
-- KEYS: 1 zset of blocked ordering keys by since when, 2 hash of active jobs by ordering key, 3 scheduled registry,
--       4 ledger hash
-- ARGV: 1 fence, 2 queue name, 3 how long a head may block (s), 4 what becomes of it: supersede (it is given up) or
--       skip (it goes on outside its key), 5 most keys
-- Returns: number of heads superseded or skipped.
-- @include fence
-- @include clock
-- @include control
-- @include push
-- @include order
local name, patience = ARGV[2], tonumber(ARGV[3])
local RECHECK_S = 30
local control = read_control(name)
local ended, gone = 0, {}

local function supersede(id, job_key)
  redis.call('HDEL', job_key, 'ordering_key')
  if redis.call('ZREM', KEYS[3], id) == 1 then
    gone[#gone + 1] = job_key
    gone[#gone + 1] = '@RQ@:results:' .. id
    redis.call('HINCRBY', KEYS[4], 'superseded', 1)
  else
    -- It waits for its next attempt somewhere in a list: the claim that comes to it drops it.
    redis.call('HSET', job_key, 'superseded', '1')
  end
end

for _, ordering_key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - patience, 'LIMIT', 0, ARGV[5])) do
  local id = redis.call('HGET', KEYS[2], ordering_key)
  local job_key = '@RQ@:job:' .. (id or '')
  local status = id and redis.call('HGET', job_key, 'status')
  if not id or held_behind(name, ordering_key, id) == 0 then
    redis.call('ZREM', KEYS[1], ordering_key)
  elseif status == 'scheduled' or status == 'queued' then
    release_next(name, ordering_key, id, control.direction, control.assist)
    ended = ended + 1
    if ARGV[4] == 'supersede' then supersede(id, job_key) else redis.call('HDEL', job_key, 'ordering_key') end
  else
    -- In flight, or packed away for now.
    redis.call('ZADD', KEYS[1], 'XX', now - patience + RECHECK_S, ordering_key)
  end
end
unlink_all(gone)
return ended
