--[[ Put a queue on a clock that can be moved; for tests.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base
  Returns 1, or 0 when it has one already
]]
--- @include "keys"
--- @include "event_stream"

local clock = K.base .. 'toril:clock'
if call('HSETNX', clock, 'offset', 0) == 0 then
  return 0
end
local _, written = stream_end()
call('HSET', clock, 'events', written or 0)
return 1
