--[[ Find the events of one job among the newest ones.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] id of the event before which to look, or '+'  [4] how many to look at
  Returns {id of the event before which to go on, or '' at the end, {id, {field, value, …}}, …}, the newest
          first
  Bound   ARGV[4]
]]
--- @include "keys"

local most = tonumber(ARGV[4])
local entries = call('XREVRANGE', K.events, ARGV[3] == '+' and '+' or '(' .. ARGV[3], '-', 'COUNT', most)
local answer = { #entries == most and entries[#entries][1] or '' }
for _, entry in ipairs(entries) do
  local fields = entry[2]
  for i = 1, #fields, 2 do
    if fields[i] == 'jobId' and fields[i + 1] == ARGV[2] then
      answer[#answer + 1] = entry
      break
    end
  end
end
return answer
