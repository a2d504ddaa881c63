--[[ Count the jobs that wait with each of some priorities.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2…] priorities, 0 for none
  Returns {how many, …}
]]
--- @include "keys"

local answer = {}
for i = 2, #ARGV do
  local priority = tonumber(ARGV[i])
  answer[i - 1] = priority == 0 and call('LLEN', K.wait)
    or call('ZCOUNT', K.prioritized, priority * 0x100000000, (priority + 1) * 0x100000000 - 1)
end
return answer
