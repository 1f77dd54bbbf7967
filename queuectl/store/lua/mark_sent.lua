-- Notes that messages are about to be handed over for good, where they must not be sent twice: should their worker die
-- now, repair holds them instead of sending them again.
-- KEYS: none
-- ARGV: 2 a message: queue, job id:execution id
-- Returns: for each, 1 noted, 0 its lease is lost.
local reply = {}
for first = 1, #ARGV, 2 do
  local member = ARGV[first + 1]
  if redis.call('ZSCORE', '@RQ@:wip:' .. ARGV[first], member) then
    redis.call('HSET', '@RQ@:execution:' .. member, 'sent', '1')
    reply[#reply + 1] = 1
  else
    reply[#reply + 1] = 0
  end
end
return reply
