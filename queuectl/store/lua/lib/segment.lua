-- How a segment's id stands in the index by cause: behind the audit number that is in it.
local function by_cause(id)
  return string.format('%010d.', string.match(id, '^%d+%.(%d+)%.')) .. id
end
