--[[ Add jobs, all of them or none.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack {{own id or '', name, data, options as JSON, delay ms, priority, lifo,
          deduplication id or '', deduplication ms or 0, deduplication flags, see include/deduplicate.lua}, …}
  Returns {id, status, …}: status 0 created, 1 the id stands already, 2 deduplicated by that job
          and last now in ms
  Events  added, waiting, delayed, duplicated, deduplicated, removed
  Bound   the jobs given
]]
--- @include "keys"
--- @include "clock"
--- @include "store"
--- @include "deduplicate"

local jobs = cmsgpack.unpack(ARGV[2])
local now = now_ms()
local counter = call('INCRBY', K.id, #jobs) - #jobs
local answer = {}
local waiting, together = false, {}

trim_events()
for i, job in ipairs(jobs) do
  local job_id = job[1]
  if job_id == '' then
    job_id = string.format('%.0f', counter + i)
  end
  local status = 0
  if job[1] ~= '' and call('EXISTS', K.base .. job_id) == 1 then
    status = 1
    call('XADD', K.events, '*', 'event', 'duplicated', 'jobId', job_id)
  elseif job[8] ~= '' then
    local holder = deduplicate(job, job_id, now)
    if holder then
      status = 2
      job_id = holder
    end
  end
  if status == 0 then
    local extra = job[8] ~= '' and { 'deid', job[8] } or nil
    store(job_id, job[2], job[3], job[4], now, job[5], job[6], job[7], extra, together)
    waiting = waiting or job[5] == 0
  end
  answer[#answer + 1] = job_id
  answer[#answer + 1] = status
end
if #together > 0 then
  call('LPUSH', K.wait, unpack(together))
end
if waiting then
  wake()
end
answer[#answer + 1] = now
return answer
