--[[ Remove a job that no worker is running, and its children when asked.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] '1' to remove its children too, and theirs  [4] prefix of the keys
  Returns 0, or -1 no such job, -6 a worker is running it or a child, -8 it is a scheduler's next job
  Events  removed; of a parent: waiting, delayed
  Bound   the job's descendants
]]
--- @include "keys"
--- @include "elsewhere"
--- @include "descendants"
--- @include "remove"

local job_id = ARGV[2]
local key = K.base .. job_id
if call('EXISTS', key .. ':lock') == 1 then
  return -6
end
local scheduler = call('HGET', key, 'rjk')
if scheduler then
  local due = call('ZSCORE', K.schedulers, scheduler)
  if due and job_id == 'repeat:' .. scheduler .. ':' .. due then
    return -8
  end
end
local below = {}
if ARGV[3] == '1' then
  below = descendants(key, true, function()
    return false
  end)
  for _, child in ipairs(below) do
    if call('EXISTS', child .. ':lock') == 1 then
      return -6
    end
  end
end
if not remove(job_id) then
  return -1
end
for _, child in ipairs(below) do
  local base, child_id = split_key(child, ARGV[4])
  elsewhere(base, remove, child_id)
end
return 0
