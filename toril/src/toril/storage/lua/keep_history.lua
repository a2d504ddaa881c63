--[[ Write down a minute of a queue, unless another process has done so.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] ms of the minute's begin  [3] what it was like  [4] how many minutes to keep, about
          [5] ms after which the history of a queue that nobody looks at is gone
  Returns 1 if it was written, 0 if it stood already or there is no such queue
]]
--- @include "keys"

local key = K.base .. 'toril:history'
if call('EXISTS', K.meta) == 0 then
  return 0
end
local last = call('XREVRANGE', key, '+', '-', 'COUNT', 1)
if last[1] and tonumber(string.match(last[1][1], '^%d+')) >= tonumber(ARGV[2]) then
  return 0
end
call('XADD', key, 'MAXLEN', '~', ARGV[4], ARGV[2] .. '-0', 'p', ARGV[3])
call('PEXPIRE', key, ARGV[5])
return 1
