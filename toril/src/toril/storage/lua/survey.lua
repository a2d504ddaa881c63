--[[ Look a queue over: its numbers, what has happened since a time, and how long jobs have taken.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] ms since which events count, '' for the last 10 s  [3] how many events to look at
          [4] how many jobs that have ended to look at
  Returns {{count, …} as count_jobs, 1 if paused, now in ms, ms since which the first waiting job could
          have run or -1, ms over which the events counted have happened, 1 if there were more events,
          {kind, how many, …}, {ms a job waited, …}, {ms a run took, …},
          completed and failed jobs in all, as the workers count them, each or false}
  Bound   ARGV[3], ARGV[4], 20 priorities
]]
--- @include "keys"
--- @include "clock"
--- @include "counts"

local PRIORITIES = 20
local now, most, sampled = now_ms(), tonumber(ARGV[3]), tonumber(ARGV[4])
local since = math.min(tonumber(ARGV[2]) or now - 10000, now)

-- When a job could have run at first.
local function ready_since(timestamp, opts)
  local readable, options = pcall(cjson.decode, opts or '{}')
  local delay = readable and type(options) == 'table' and tonumber(options.delay) or 0
  return (tonumber(timestamp) or now) + delay
end

local function oldest_waiting()
  local heads = { call('LINDEX', K.wait, -1) or nil }
  local from = '-inf'
  for _ = 1, PRIORITIES do
    local head = call('ZRANGEBYSCORE', K.prioritized, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if not head[1] then
      break
    end
    heads[#heads + 1] = head[1]
    from = string.format('%.0f', (math.floor(tonumber(head[2]) / 0x100000000) + 1) * 0x100000000)
  end
  local oldest = -1
  for _, job_id in ipairs(heads) do
    local job = redis.pcall('HMGET', K.base .. job_id, 'timestamp', 'opts')
    local ready = not job.err and math.min(ready_since(job[1], job[2]), now)
    if ready and (oldest < 0 or ready < oldest) then
      oldest = ready
    end
  end
  return oldest
end

-- Events of this millisecond are left for the next time: each is counted once.
local entries = since < now and call('XREVRANGE', K.events, now - 1, since, 'COUNT', most) or {}
local more = #entries == most
local kinds, began, waited, ended = {}, {}, {}, {}
for _, entry in ipairs(entries) do
  local fields, at = entry[2], tonumber(string.match(entry[1], '^%d+'))
  local kind, job_id
  for i = 1, #fields, 2 do
    if fields[i] == 'event' then
      kind = fields[i + 1]
    elseif fields[i] == 'jobId' then
      job_id = fields[i + 1]
    end
  end
  if kind then
    kinds[kind] = (kinds[kind] or 0) + 1
    if kind == 'active' and job_id then
      began[job_id] = at
    elseif kind == 'waiting' and job_id then
      waited[job_id] = at
    elseif (kind == 'completed' or kind == 'failed') and job_id and #ended < sampled then
      ended[#ended + 1] = { job_id, at }
    end
  end
  since = more and at or since
end

local waits, runs = {}, {}
for _, pair in ipairs(ended) do
  local job_id, at = pair[1], pair[2]
  local job = redis.pcall('HMGET', K.base .. job_id, 'processedOn', 'timestamp', 'opts', 'atm', 'finishedOn')
  job = job.err and {} or job
  local start = tonumber(job[1]) or began[job_id]
  if start then
    runs[#runs + 1] = math.max(0, (tonumber(job[5]) or at) - start)
    -- Of a job that ran before, it is not known since when it waited for this run.
    local ready = (tonumber(job[4]) or 0) <= 1 and job[2] and ready_since(job[2], job[3]) or waited[job_id]
    waits[#waits + 1] = ready and math.max(0, start - ready) or nil
  end
end

local told = {}
for kind, count in pairs(kinds) do
  told[#told + 1] = kind
  told[#told + 1] = count
end
return {
  count_states(), call('HEXISTS', K.meta, 'paused'), now, oldest_waiting(), math.max(1, now - since),
  more and 1 or 0, told, waits, runs,
  call('HGET', K.base .. 'metrics:completed', 'count'), call('HGET', K.base .. 'metrics:failed', 'count'),
}
