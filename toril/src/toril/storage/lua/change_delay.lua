--[[ Change when a delayed job is due.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] ms from now
  Returns 0, or -1 no such job, -3 not delayed
  Events  delayed
]]
--- @include "keys"
--- @include "clock"
--- @include "place"

local key = K.base .. ARGV[2]
if call('EXISTS', key) == 0 then
  return -1
end
if call('ZREM', K.delayed, ARGV[2]) == 0 then
  return -3
end
call('HSET', key, 'delay', ARGV[3])
place_delayed(ARGV[2], now_ms() + tonumber(ARGV[3]))
return 0
