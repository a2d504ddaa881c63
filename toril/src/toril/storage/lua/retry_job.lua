--[[ Let a finished job run again.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] '1' to give it all its attempts again
  Returns 0, or -1 no such job, -3 neither completed nor failed
  Events  waiting
]]
--- @include "keys"
--- @include "retry"

local job_id = ARGV[2]
if call('EXISTS', K.base .. job_id) == 0 then
  return -1
end
for _, state in ipairs({ 'failed', 'completed' }) do
  if call('ZREM', K[state], job_id) == 1 then
    local readable, opts = pcall(cjson.decode, call('HGET', K.base .. job_id, 'opts') or '{}')
    retry(job_id, state, ARGV[3] == '1', readable and type(opts) == 'table' and opts.lifo)
    wake()
    return 0
  end
end
return -3
