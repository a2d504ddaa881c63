--[[ Free a deduplication key, so that the next add is no duplicate.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] the deduplication key  [3] only if this job holds it, or ''
  Returns how many were freed, 0 or 1
]]
--- @include "keys"

local key = K.base .. 'de:' .. ARGV[2]
if ARGV[3] ~= '' and call('GET', key) ~= ARGV[3] then
  return 0
end
return call('DEL', key)
