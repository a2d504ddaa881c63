--[[ Remove finished jobs that have become older than the last end of their set allowed.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base
  Returns how many were removed; the caller calls again while there are any
  Bound   1,000 jobs of each set
]]
--- @include "keys"
--- @include "clock"
--- @include "retain"

local ages = call('HMGET', K.retention, 'completed', 'failed')
local now = now_ms()
return retain(K.completed, now, -1, tonumber(ages[1] or -1)) + retain(K.failed, now, -1, tonumber(ages[2] or -1))
