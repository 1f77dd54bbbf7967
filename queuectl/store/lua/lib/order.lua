-- Messages of one ordering key go one at a time: `order:N` holds each key's active one, `order:N:KEY` those held behind
-- it (status deferred), `blocked:N` since when a head that is tried again keeps others waiting. Needs push.lua.
local MOST_CUT = 500

-- Whether a message may go now. Else it is held behind its key's active one; its record must exist.
local function may_go(name, ordering_key, id)
  local active = '@OURS@:order:' .. name
  if redis.call('HSETNX', active, ordering_key, id) == 1 then return true end
  if redis.call('HGET', active, ordering_key) == id then return true end
  redis.call('HSET', '@RQ@:job:' .. id, 'status', 'deferred')
  redis.call('RPUSH', active .. ':' .. ordering_key, id)
  redis.call('ZADD', '@RQ@:deferred:' .. name, '+inf', id)
  return false
end

-- Lets the next message of an ordering key go, after the active one has ended. Returns whether it was the active one.
local function release_next(name, ordering_key, job_id, direction, assist)
  local active = '@OURS@:order:' .. name
  if redis.call('HGET', active, ordering_key) ~= job_id then return false end
  redis.call('ZREM', '@OURS@:blocked:' .. name, ordering_key)
  for _ = 1, 1000 do
    local following = redis.call('LPOP', active .. ':' .. ordering_key)
    if not following then
      redis.call('HDEL', active, ordering_key)
      return true
    end
    redis.call('ZREM', '@RQ@:deferred:' .. name, following)
    if redis.call('EXISTS', '@RQ@:job:' .. following) == 1 then
      redis.call('HSET', active, ordering_key, following)
      redis.call('HSET', '@RQ@:job:' .. following, 'status', 'queued')
      push_next(name, {following}, direction, assist)
      return true
    end
    redis.call('HINCRBY', '@OURS@:ledger:' .. name, 'vanished', 1)
  end
  -- All of a thousand were deleted by another tool: the sweep goes on.
  return true
end

-- How many wait behind this message; none unless it is its key's active one.
local function held_behind(name, ordering_key, id)
  local active = '@OURS@:order:' .. name
  if redis.call('HGET', active, ordering_key) ~= id then return 0 end
  return redis.call('LLEN', active .. ':' .. ordering_key)
end

-- The active message of a key is to be tried again: from now on it blocks those behind it.
local function note_blocked(name, ordering_key, id, now)
  if held_behind(name, ordering_key, id) > 0 then
    redis.call('ZADD', '@OURS@:blocked:' .. name, 'NX', now, ordering_key)
  end
end

-- An id was met whose record another tool deleted: if it is a key's active message, the sweep lets the next go.
local function note_gone(name, id)
  if redis.call('EXISTS', '@OURS@:order:' .. name) == 0 then return end
  redis.call('SADD', '@OURS@:gone:' .. name, id)
  redis.call('EXPIRE', '@OURS@:gone:' .. name, 86400)
end

-- Takes a key's active message and all that is held behind it, at most MOST_CUT, into `ids` in order.
local function cut_key(name, ordering_key, id, ids)
  ids[#ids + 1] = id
  local active = '@OURS@:order:' .. name
  if redis.call('HGET', active, ordering_key) ~= id then return end
  local held = redis.call('LRANGE', active .. ':' .. ordering_key, 0, -1)
  for _, following in ipairs(held) do
    ids[#ids + 1] = following
    if redis.call('EXISTS', '@RQ@:job:' .. following) == 1 then
      redis.call('HSET', '@RQ@:job:' .. following, 'status', 'queued')
    end
  end
  push_all('ZREM', '@RQ@:deferred:' .. name, held)
  redis.call('DEL', active .. ':' .. ordering_key)
  redis.call('HDEL', active, ordering_key)
  redis.call('ZREM', '@OURS@:blocked:' .. name, ordering_key)
end
