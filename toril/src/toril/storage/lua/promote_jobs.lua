--[[ Let delayed jobs run now, the next due first.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] how many at the most
  Returns how many
  Events  waiting
  Bound   ARGV[2]
]]
--- @include "keys"
--- @include "promote_due"

trim_events()
return promote(call('ZRANGE', K.delayed, 0, tonumber(ARGV[2]) - 1))
