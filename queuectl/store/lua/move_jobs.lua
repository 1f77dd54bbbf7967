-- Moves staged jobs to another queue; both ledgers count them.
-- KEYS: 1 staging list, 2 list to push to, 3 hash of staged counts, 4 from ledger, 5 to ledger, 6 set of queues
-- ARGV: 1 fence, 2 owner of the staging list, which marks the jobs, 3 new queue name, 4 end to push to (head|tail),
--       5 most, 6 id prefix of our own messages: others are counted in as they are first met
-- Returns: {moved, taken from the staging list}.
-- @include fence
-- @include push
local to_tail = ARGV[4] == 'tail'
local ids = redis.call(to_tail and 'LPOP' or 'RPOP', KEYS[1], ARGV[5]) or {}
if #ids == 0 then return {0, 0} end
local moved, adopted = {}, 0
for _, id in ipairs(ids) do
  local key = '@RQ@:job:' .. id
  local record = redis.call('HMGET', key, 'data', 'adopted')
  if record[1] then
    moved[#moved + 1] = id
    redis.call('HSET', key, 'origin', ARGV[3], 'moved_by', ARGV[2])
    if not record[2] and string.sub(id, 1, #ARGV[6]) ~= ARGV[6] then
      redis.call('HSET', key, 'adopted', '1')
      adopted = adopted + 1
    end
  end
end
push_all(to_tail and 'RPUSH' or 'LPUSH', KEYS[2], moved)
redis.call('SADD', KEYS[6], '@RQ@:queue:' .. ARGV[3])
if redis.call('HINCRBY', KEYS[3], ARGV[2], -#ids) <= 0 then
  redis.call('HDEL', KEYS[3], ARGV[2])
  redis.call('HDEL', KEYS[3] .. ':ends', ARGV[2])
end
local counts = {vanished = #ids - #moved, moved_out = #moved, adopted = adopted}
for what, number in pairs(counts) do
  if number > 0 then redis.call('HINCRBY', KEYS[4], what, number) end
end
redis.call('HINCRBY', KEYS[5], 'moved_in', #moved)
return {#moved, #ids}
