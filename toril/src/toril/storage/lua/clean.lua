--[[ Remove jobs of one state that are old enough. A scheduler's next job stays, and so does a job
     that a worker is running.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] name of the state's key  [3] ms since they ended, or began or were added if not
          ended  [4] how many jobs to look at, from the oldest  [5] how many to pass over first
          [6] how many to remove at the most
  Returns {how many to pass over at the next call, or -1 when all have been seen, removed id, …}
  Events  cleaned; removed for a parent
  Bound   ARGV[4]
]]
--- @include "keys"
--- @include "clock"
--- @include "forget"

local name, look, skip, most = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local latest = now_ms() - tonumber(ARGV[3])
local is_list = name == 'wait' or name == 'active' or name == 'paused'
local ids
if is_list then
  -- The oldest are at the tail.
  local page = call('LRANGE', K[name], -(skip + look), -(skip + 1))
  ids = {}
  for i = #page, 1, -1 do
    ids[#ids + 1] = page[i]
  end
elseif name == 'completed' or name == 'failed' then
  ids = call('ZRANGEBYSCORE', K[name], '-inf', latest, 'LIMIT', skip, look)
else
  ids = call('ZRANGE', K[name], skip, skip + look - 1)
end

local function is_free(job_id, job)
  if name == 'active' and call('EXISTS', K.base .. job_id .. ':lock') == 1 then
    return false
  end
  local due = job[4] and call('ZSCORE', K.schedulers, job[4])
  return not (due and job_id == 'repeat:' .. job[4] .. ':' .. due)
end

local answer, kept = { -1 }, 0
for _, job_id in ipairs(ids) do
  local job = redis.pcall('HMGET', K.base .. job_id, 'finishedOn', 'processedOn', 'timestamp', 'rjk')
  if job.err then
    job = {}
  end
  local at = tonumber(job[1] or job[2] or job[3] or 0) or 0
  if #answer - 1 < most and at <= latest and is_free(job_id, job) then
    if is_list then
      call('LREM', K[name], -1, job_id)
    else
      call('ZREM', K[name], job_id)
    end
    forget(job_id, true)
    answer[#answer + 1] = job_id
  else
    kept = kept + 1
  end
end
if #ids == look then
  answer[1] = skip + kept
end
call('XADD', K.events, '*', 'event', 'cleaned', 'count', #answer - 1)
return answer
