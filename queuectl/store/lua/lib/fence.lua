-- Refuses the writes of a daemon that is not (or no longer) the leader. ARGV[1]: its lease value, '' for operators.
if ARGV[1] ~= '' and redis.call('GET', '@OURS@:lease') ~= ARGV[1] then
  return redis.error_reply('FENCED this daemon no longer holds the lease')
end
