--[[ Count the jobs of each state.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base
  Returns {waiting, active, paused, delayed, prioritized, completed, failed, waiting-children}
]]
--- @include "keys"
--- @include "counts"

return count_states()
