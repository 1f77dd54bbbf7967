-- Shifts waiting ids from one list of a queue's tiers to the next, in order.
-- KEYS: 1 list to take from, 2 list to put to, 3 hash of staged counts, 4 control hash
-- ARGV: 1 fence, 2 end to take from (head|tail), 3 end to put to (head|tail), 4 most, 5 owner of KEYS 1 where it is a
--       staging list ('' not), 6 the same of KEYS 2, 7 '1': remember the last one, beyond which the queue's tail is new
-- Returns: ids shifted.
-- @include fence
-- @include push
local ids = redis.call(ARGV[2] == 'head' and 'LPOP' or 'RPOP', KEYS[1], ARGV[4])
if not ids or #ids == 0 then return 0 end
-- Popped from the tail they come last first, pushed to the head they have to go last first.
if (ARGV[2] == 'tail') ~= (ARGV[3] == 'head') then
  for first = 1, math.floor(#ids / 2) do
    ids[first], ids[#ids + 1 - first] = ids[#ids + 1 - first], ids[first]
  end
end
push_all(ARGV[3] == 'head' and 'LPUSH' or 'RPUSH', KEYS[2], ids)
if ARGV[5] ~= '' and redis.call('HINCRBY', KEYS[3], ARGV[5], -#ids) <= 0 then redis.call('HDEL', KEYS[3], ARGV[5]) end
if ARGV[6] ~= '' then redis.call('HINCRBY', KEYS[3], ARGV[6], #ids) end
if ARGV[7] == '1' then redis.call('HSET', KEYS[4], 'refilled_tail', ids[#ids]) end
return #ids
