-- Pushes in slices: `unpack` of a long table overflows Lua's stack.
local function push_all(verb, key, ids)
  for first = 1, #ids, 500 do
    redis.call(verb, key, unpack(ids, first, math.min(first + 499, #ids)))
  end
end
-- Puts ids before those of a list, in their order.
local function prepend_all(key, ids)
  local reversed = {}
  for last = #ids, 1, -1 do reversed[#reversed + 1] = ids[last] end
  push_all('LPUSH', key, reversed)
end
-- Puts a job where the next claim takes it: the head, or the tail while the queue is claimed newest first.
local function push_next(name, ids, direction, assist)
  push_all((direction == 'lifo' and not assist) and 'RPUSH' or 'LPUSH', '@RQ@:queue:' .. name, ids)
end
local function unlink_all(keys)
  for first = 1, #keys, 500 do
    redis.call('UNLINK', unpack(keys, first, math.min(first + 499, #keys)))
  end
end
