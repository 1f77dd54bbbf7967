-- Appends one sample of all queues, if the writer leads.
-- KEYS: 1 series stream, 2 latest string. ARGV: 1 fence, 2 blob, 3 most entries, 4 seconds the latest is fresh ('' to
-- leave it alone), 5 the latest sample's rates as JSON. Returns: the entry's id.
-- @include fence
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[5], 'EX', ARGV[4]) end
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 's', ARGV[2])
