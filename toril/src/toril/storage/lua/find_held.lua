--[[ Find running jobs by the tokens of their locks.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2…] tokens
  Returns {id, token, …}
  Bound   the active list
]]
--- @include "keys"

local wanted = {}
for i = 2, #ARGV do
  wanted[ARGV[i]] = true
end
local active = call('LRANGE', K.active, 0, -1)
local held = {}
for from = 1, #active, 1000 do
  local locks = {}
  for i = from, math.min(from + 999, #active) do
    locks[#locks + 1] = K.base .. active[i] .. ':lock'
  end
  for i, token in ipairs(call('MGET', unpack(locks))) do
    if token and wanted[token] then
      held[#held + 1] = active[from + i - 1]
      held[#held + 1] = token
    end
  end
end
return held
