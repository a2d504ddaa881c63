--[[ Read a page of job schedulers.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] first  [3] last  [4] '1' next to run first
  Returns {id, when its newest job is due in ms, {field, value, …}, …}
  Bound   the page asked for
]]
--- @include "keys"

local page = call(ARGV[4] == '1' and 'ZRANGE' or 'ZREVRANGE', K.schedulers, ARGV[2], ARGV[3], 'WITHSCORES')
local found = {}
for i = 1, #page, 2 do
  found[#found + 1] = page[i]
  found[#found + 1] = page[i + 1]
  found[#found + 1] = call('HGETALL', K.schedulers .. ':' .. page[i])
end
return found
