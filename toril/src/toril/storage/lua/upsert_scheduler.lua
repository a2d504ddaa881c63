--[[ Make or change a job scheduler, and its next job. An unchanged one is left as it is, so that
     many processes may declare the same at once. One that has no run left is removed.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack, see `upsert` in include/scheduler.lua
  Returns 1 if anything changed, else 0
  Events  removed, added, delayed or waiting
]]
--- @include "keys"
--- @include "clock"
--- @include "scheduler"

return upsert(cmsgpack.unpack(ARGV[2]), now_ms()) and 1 or 0
