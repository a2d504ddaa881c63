--[[ Add jobs, all of them or none.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack {{own id or '', name, data, options as JSON, delay ms, priority, lifo,
          deduplication id or '', deduplication ms or 0}, …}
  Returns {id, status, …}: status 0 created, 1 the id stands already, 2 deduplicated by that job
          and last now in ms
  Events  added, waiting, delayed, duplicated, deduplicated
  Bound   the jobs given
]]
--- @include "keys"
--- @include "clock"
--- @include "store"

local jobs = cmsgpack.unpack(ARGV[2])
local now = now_ms()
local counter = call('INCRBY', K.id, #jobs) - #jobs
local answer = {}
local waiting = false

-- The job that holds this deduplication id; nil when the id is free, and now held by job_id.
local function deduplicated_by(dedup_id, ttl, job_id)
  local key = K.base .. 'de:' .. dedup_id
  local holder = call('GET', key)
  if holder and (call('PTTL', key) ~= -1 or call('EXISTS', K.base .. holder) == 1) then
    return holder
  end
  if ttl > 0 then
    call('SET', key, job_id, 'PX', ttl)
  else
    call('SET', key, job_id)
  end
end

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
    local holder = deduplicated_by(job[8], job[9], job_id)
    if holder then
      status = 2
      call('XADD', K.events, '*', 'event', 'deduplicated', 'jobId', holder,
        'deduplicationId', job[8], 'deduplicatedJobId', job_id)
      job_id = holder
    end
  end
  if status == 0 then
    local extra = job[8] ~= '' and { 'deid', job[8] } or nil
    store(job_id, job[2], job[3], job[4], now, job[5], job[6], job[7], extra)
    waiting = waiting or job[5] == 0
  end
  answer[#answer + 1] = job_id
  answer[#answer + 1] = status
end
if waiting then
  wake()
end
answer[#answer + 1] = now
return answer
