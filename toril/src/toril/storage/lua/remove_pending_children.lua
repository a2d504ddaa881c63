--[[ Remove the children that a job still waits for, and theirs, but those that a worker is running.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] prefix of the keys
  Returns how many were removed
  Events  removed; of the job: waiting, delayed
  Bound   the job's descendants
]]
--- @include "keys"
--- @include "elsewhere"
--- @include "descendants"
--- @include "remove"

local removed = 0
local pending = descendants(K.base .. ARGV[2], false, function(child)
  return call('EXISTS', child .. ':lock') == 1
end)
-- Children before their parents: none of those is set running by the way.
for i = #pending, 1, -1 do
  local base, child_id = split_key(pending[i], ARGV[3])
  if not call('ZSCORE', base .. 'failed', child_id) and elsewhere(base, remove, child_id) then
    removed = removed + 1
  end
end
return removed
