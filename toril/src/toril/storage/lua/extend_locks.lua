--[[ Renew the locks of running jobs.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] lock in ms  [3…] id, token, id, token, …
  Returns the ids whose lock is lost
  Bound   the jobs given
]]
--- @include "keys"

local lost = {}
for i = 3, #ARGV, 2 do
  local lock_key = K.base .. ARGV[i] .. ':lock'
  if call('GET', lock_key) == ARGV[i + 1] then
    call('PEXPIRE', lock_key, ARGV[2])
    call('SREM', K.stalled, ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
