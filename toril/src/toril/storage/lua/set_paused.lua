--[[ Pause or resume the queue for all workers.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] '1' to pause, '0' to resume
  Returns 1 if that changed anything
  Events  paused, resumed
  Bound   none to do; 5,000 jobs of an old `paused` list a call
]]
--- @include "keys"
--- @include "place"

local was = call('HEXISTS', K.meta, 'paused')
if ARGV[2] == '1' then
  call('HSET', K.meta, 'paused', 1)
  call('DEL', K.marker)
  call('XADD', K.events, '*', 'event', 'paused')
  return 1 - was
end
call('HDEL', K.meta, 'paused')
-- BullMQ before 5 kept the jobs of a paused queue in a list of their own.
local old = call('LRANGE', K.paused, 0, 4999)
if #old > 0 then
  call('RPUSH', K.wait, unpack(old))
  call('LTRIM', K.paused, #old, -1)
end
rouse()
call('XADD', K.events, '*', 'event', 'resumed')
return was
