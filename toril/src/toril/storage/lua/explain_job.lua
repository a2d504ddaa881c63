--[[ Read all that tells why a job does not run, at one instant.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] what all keys begin with
  Returns {state as include/locate.lua has it, now in ms, values of FIELDS,
          {paused, concurrency, max} of the queue, {jobs begun in the rate limit's window or false, ms until
          it ends}, {running, waiting, prioritized jobs},
          its score or false, how many waiting or prioritized jobs come before it or -1,
          {lock's token or false, its ms, ms of the death of its worker unless that tells again or false,
          that one's card or false},
          {1 if the stalled check has marked it, ms until the next check},
          {how many children it waits for, {key, state, …} of some},
          {1 if a further add is to follow its end, 1 if this id is the one to follow},
          {stream id, {field, value, …}, …} of events about a job that is missing, the newest first,
          {how many workers tell that they live, {ms of death, card or false, …} of some}}
  Bound   10,000 entries of the waiting list, 10 children, 500 events, 200 workers
]]
--- @include "keys"
--- @include "clock"
--- @include "elsewhere"
--- @include "locate"

local FIELDS = {
  'name', 'opts', 'timestamp', 'processedOn', 'finishedOn', 'atm', 'ats', 'stc', 'failedReason', 'defa', 'pb',
  'rjk', 'deid', 'toril:cancel',
}
local CHILDREN, EVENTS, WORKERS = 10, 500, 200
local job_id, prefix = ARGV[2], ARGV[3]
local key = K.base .. job_id
local state = locate(job_id)

local fields = redis.pcall('HMGET', key, unpack(FIELDS))
if fields.err then
  fields = {}
end

local SETS = {
  completed = K.completed, failed = K.failed, delayed = K.delayed, prioritized = K.prioritized,
  ['waiting-children'] = K.waiting_children,
}
local score = SETS[state] and call('ZSCORE', SETS[state], job_id)

local function jobs_before()
  if state == 'prioritized' then
    return call('LLEN', K.wait) + call('ZRANK', K.prioritized, job_id)
  end
  -- The next one is at the tail.
  local place = state == 'waiting' and call('LPOS', K.wait, job_id, 'RANK', -1, 'MAXLEN', SEARCHED)
  return place and call('LLEN', K.wait) - 1 - place or -1
end

local function holder()
  local token = call('GET', key .. ':lock')
  local worker = token and string.match(token, '^[^:]*')
  return {
    token, call('PTTL', key .. ':lock'), worker and call('ZSCORE', K.base .. 'toril:beats', worker),
    worker and call('HGET', K.base .. 'toril:workers', worker),
  }
end

local function children()
  local some = {}
  if state == 'waiting-children' then
    for _, child in ipairs(call('SRANDMEMBER', key .. ':dependencies', CHILDREN)) do
      local queue, id
      if string.sub(child, 1, #prefix + 1) == prefix .. ':' then
        queue, id = string.match(string.sub(child, #prefix + 2), '^([^:]*):(.*)$')
      end
      some[#some + 1] = child
      some[#some + 1] = queue and elsewhere(prefix .. ':' .. queue .. ':', locate, id) or 'unknown'
    end
  end
  return { call('SCARD', key .. ':dependencies'), some }
end

local function events()
  local about = {}
  if state == 'missing' then
    for _, entry in ipairs(call('XREVRANGE', K.events, '+', '-', 'COUNT', EVENTS)) do
      for i = 1, #entry[2], 2 do
        local field = entry[2][i]
        if (field == 'jobId' or field == 'deduplicatedJobId') and entry[2][i + 1] == job_id and #about < 20 then
          about[#about + 1] = entry[1]
          about[#about + 1] = entry[2]
          break
        end
      end
    end
  end
  return about
end

-- Whether something is to follow the job, and whether the job is itself to follow another.
local function followers(about)
  local own = fields[13] and call('EXISTS', K.base .. 'dn:' .. fields[13]) or 0
  for i = 2, #about, 2 do
    for j = 1, #about[i], 2 do
      if about[i][j] == 'deduplicationId' then
        local next_id = call('HGET', K.base .. 'dn:' .. about[i][j + 1], 'jid')
        return { own, next_id == job_id and 1 or 0 }
      end
    end
  end
  return { own, 0 }
end

local function workers()
  local beats = call('ZREVRANGE', K.base .. 'toril:beats', 0, WORKERS - 1, 'WITHSCORES')
  local ids, some = {}, {}
  for i = 1, #beats, 2 do
    ids[#ids + 1] = beats[i]
  end
  local cards = #ids > 0 and call('HMGET', K.base .. 'toril:workers', unpack(ids)) or {}
  for i, card in ipairs(cards) do
    some[#some + 1] = beats[2 * i]
    some[#some + 1] = card
  end
  return { call('ZCARD', K.base .. 'toril:beats'), some }
end

local about = events()
return {
  state, now_ms(), fields, call('HMGET', K.meta, 'paused', 'concurrency', 'max'),
  { call('GET', K.limiter), call('PTTL', K.limiter) },
  { call('LLEN', K.active), call('LLEN', K.wait), call('ZCARD', K.prioritized) },
  score or false, jobs_before(), holder(),
  { call('SISMEMBER', K.stalled, job_id), call('PTTL', K.stalled_check) },
  children(), followers(about), about, workers(),
}
