--[[ Move a queue's clock on; for tests.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] by how many ms  [3…] keys whose time to live is to become as much shorter
  Returns now in ms, by the moved clock; or false when the queue has none
  Bound   the keys given
]]
--- @include "keys"
--- @include "clock"
--- @include "queue_state"

local clock = K.base .. 'toril:clock'
if call('EXISTS', clock) == 0 then
  return false
end
local by = tonumber(ARGV[2])
call('HINCRBY', clock, 'offset', by)
for i = 3, #ARGV do
  local ttl = call('PTTL', ARGV[i])
  if ttl > by then
    call('PEXPIRE', ARGV[i], ttl - by)
  elseif ttl >= 0 then
    call('DEL', ARGV[i])
  end
end
if by > 0 then
  wake()
end
return now_ms() + by
