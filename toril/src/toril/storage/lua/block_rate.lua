--[[ Let no worker start a job for a time, or let them start again.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] ms, or 0 to take the limit's window away
  Returns 1 if there was a window
]]
--- @include "keys"
--- @include "limit"
--- @include "place"

local ms = tonumber(ARGV[2])
local was = call('EXISTS', K.limiter)
if ms > 0 then
  block(ms)
else
  call('DEL', K.limiter)
  rouse()
end
return was
