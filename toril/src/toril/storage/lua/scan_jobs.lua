--[[ Look through a page of jobs of one state for texts.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] state's key name  [3] first  [4] last  [5] '1' oldest or next first
          [6] msgpack {texts in small letters that id, name, data, error or stack traces of a job must have,
          fields to return of each, or none for all; a text is cut to 4,000 bytes then}
  Returns {how many were looked at, id, {field, value, …}, …}; it stops early when that took 2.5 ms (where
          the server's clock goes on in a script) or is more than 2 MB
  Bound   the page asked for
]]
--- @include "keys"
--- @include "page"

local PATIENCE_US, FULL, CUT = 2500, 2000000, 4000

local args = cmsgpack.unpack(ARGV[6])
local texts, fields = args[1], args[2]

local function micros()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

local function has_all(key, job_id)
  if #texts == 0 then
    return true
  end
  local job = redis.pcall('HMGET', key, 'name', 'data', 'failedReason', 'stacktrace')
  if job.err then
    return false
  end
  job[5] = job_id
  for i = 1, 5 do
    job[i] = string.lower(job[i] or '')
  end
  for _, text in ipairs(texts) do
    local found = false
    for i = 1, 5 do
      found = found or string.find(job[i], text, 1, true) ~= nil
    end
    if not found then
      return false
    end
  end
  return true
end

local function read(key)
  if #fields == 0 then
    local hash = redis.pcall('HGETALL', key)
    return not hash.err and hash or {}
  end
  local values = redis.pcall('HMGET', key, unpack(fields))
  if values.err then
    return {}
  end
  local hash = {}
  for i, field in ipairs(fields) do
    if values[i] then
      hash[#hash + 1] = field
      -- The newest of several stack traces are at the end.
      hash[#hash + 1] = field == 'stacktrace' and string.sub(values[i], -CUT) or string.sub(values[i], 1, CUT)
    end
  end
  return hash
end

local begun, size = micros(), 0
local answer = { 0 }
for i, job_id in ipairs(page_of(ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1')) do
  answer[1] = i
  local key = K.base .. job_id
  if has_all(key, job_id) then
    local hash = read(key)
    if #hash > 0 then
      answer[#answer + 1] = job_id
      answer[#answer + 1] = hash
      for _, value in ipairs(hash) do
        size = size + #value
      end
    end
  end
  if size > FULL or i % 20 == 0 and micros() - begun > PATIENCE_US then
    break
  end
end
return answer
