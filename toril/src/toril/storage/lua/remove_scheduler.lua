--[[ Remove a job scheduler and its next job.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] scheduler's id
  Returns 0, or -1 no such scheduler
  Events  removed
]]
--- @include "keys"
--- @include "scheduler"

return remove_scheduler(ARGV[2]) and 0 or -1
