--[[ Read a page of jobs of one state.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] state's key name  [3] first  [4] last  [5] '1' oldest or next first
          [6] '1' their ids alone
  Returns {id, {field, value, …}, …}, without those that have no hash; or {id, …}
  Bound   the page asked for
]]
--- @include "keys"
--- @include "page"

local ids = page_of(ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1')
if ARGV[6] == '1' then
  return ids
end
local jobs = {}
for _, job_id in ipairs(ids) do
  local hash = redis.pcall('HGETALL', K.base .. job_id)
  if not hash.err and #hash > 0 then
    jobs[#jobs + 1] = job_id
    jobs[#jobs + 1] = hash
  end
end
return jobs
