--[[ Tell where a job is, and how it ended.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id
  Returns {state, returnvalue or failedReason or false}; state `missing` when there is no such job
]]
--- @include "keys"
--- @include "locate"

local ENDS = { completed = 'returnvalue', failed = 'failedReason' }

local state = locate(ARGV[2])
return { state, ENDS[state] and call('HGET', K.base .. ARGV[2], ENDS[state]) or false }
