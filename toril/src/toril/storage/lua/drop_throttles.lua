--[[ Remove deduplication keys that outlive their jobs (throttle mode), of a queue that has none left.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] cursor, 0 at first  [3] how many keys of the server a call looks at, about
  Returns the next cursor, 0 when all have been looked at
  Bound   ARGV[3]
]]
--- @include "keys"

local keys = K.base .. 'de:'
if call('EXISTS', keys .. 'meta') == 1 then
  -- They are those of a queue called `de`, whose prefix ends as this queue is called.
  return '0'
end
local pattern = string.gsub(keys, '[%*%?%[%]\\]', '\\%0') .. '*'
local found = call('SCAN', ARGV[2], 'MATCH', pattern, 'COUNT', ARGV[3])
for _, key in ipairs(found[2]) do
  call('DEL', key)
end
return found[1]
