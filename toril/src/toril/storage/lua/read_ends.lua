--[[ Tell which jobs have ended, and how.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2…] job ids
  Returns {id of the last event, its number or -1, state, text, state, text, …}: states `completed`
          with the result, `failed` with the reason, `missing` or `open` with ''
  Bound   the jobs given
]]
--- @include "keys"
--- @include "event_stream"

local last, written = stream_end()
local answer = { last or '0-0', last and (written or -1) or 0 }
for i = 2, #ARGV do
  local job_id = ARGV[i]
  local key = K.base .. job_id
  local state, text = 'open', ''
  if call('EXISTS', key) == 0 then
    state = 'missing'
  elseif call('ZSCORE', K.completed, job_id) then
    state, text = 'completed', call('HGET', key, 'returnvalue') or 'null'
  elseif call('ZSCORE', K.failed, job_id) then
    state, text = 'failed', call('HGET', key, 'failedReason') or ''
  end
  answer[#answer + 1] = state
  answer[#answer + 1] = text
end
return answer
