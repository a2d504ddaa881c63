--[[ Let a job fail as cancelled: at once if it waits, by its worker if it runs.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] reason
  Returns 0 failed now, 1 its worker was asked, or -1 no such job, -3 it has ended, -8 it is a
          scheduler's next job
  Events  failed; of a parent: waiting, delayed
]]
--- @include "keys"
--- @include "clock"
--- @include "settle"
--- @include "retain"

local job_id = ARGV[2]
local key = K.base .. job_id
local job = call('HMGET', key, 'name', 'rjk', 'atm', 'deid', 'parent')
if not job[1] and call('EXISTS', key) == 0 then
  return -1
end
local due = job[2] and call('ZSCORE', K.schedulers, job[2])
local scheduled = due and job_id == 'repeat:' .. job[2] .. ':' .. due
local holder = call('GET', key .. ':lock')
if holder or call('LPOS', K.active, job_id) then
  -- The mark lasts for as long as the job; the stream wakes its worker.
  call('HSET', key, 'toril:cancel', ARGV[3])
  call('XADD', K.cancels, 'MAXLEN', '~', 1000, '*', 'jobId', job_id, 'token', holder or '', 'reason', ARGV[3])
  return 1
end
if scheduled then
  return -8
end
local prev
for _, state in ipairs({ 'delayed', 'prioritized', 'waiting_children' }) do
  if not prev and call('ZREM', K[state], job_id) == 1 then
    prev = string.gsub(state, '_', '-')
  end
end
for _, state in ipairs({ 'wait', 'paused' }) do
  if not prev and call('LREM', K[state], 1, job_id) == 1 then
    prev = 'waiting'
  end
end
if not prev then
  return -3
end
trim_events()
local now = now_ms()
local count, age_ms = fail_cancelled(job_id, key, now, ARGV[3], tonumber(job[3]) or 0, job[4], job[5], prev)
write_ended()
if count ~= 0 and (count > 0 or age_ms >= 0) then
  retain(K.failed, now, count, age_ms)
end
return 0
