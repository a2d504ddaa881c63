--[[ Renew the locks of running jobs.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] lock in ms  [3…] id, token, id, token, …
  Returns {{id whose lock is lost, …}, {id, reason of its cancel, …}}
  Bound   the jobs given
]]
--- @include "keys"

local lost, cancelled = {}, {}
for i = 3, #ARGV, 2 do
  local lock_key = K.base .. ARGV[i] .. ':lock'
  if call('GET', lock_key) == ARGV[i + 1] then
    call('PEXPIRE', lock_key, ARGV[2])
    call('SREM', K.stalled, ARGV[i])
    local reason = call('HGET', K.base .. ARGV[i], 'toril:cancel')
    if reason then
      cancelled[#cancelled + 1] = ARGV[i]
      cancelled[#cancelled + 1] = reason
    end
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return { lost, cancelled }
