--[[ Tell that a worker lives, and give back the jobs of workers that have not told so for too long.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] the worker's id  [3] ms after which it is dead unless it tells again
          [4] ms of silence of all workers after which nobody is judged  [5] how often a job may stall,
          or -1 to look for nobody  [6] the worker's card: what it tells of itself
  Returns {1 if the worker was not known: it begins, or was taken for dead, {id given back, …}}
  Events  waiting, stalled
  Bound   1,000 jobs given back; the active list is read when a worker has died
]]
--- @include "keys"
--- @include "clock"
--- @include "queue_state"
--- @include "memory"
--- @include "stall"

local LIMIT = 1000
local beats, cards = K.base .. 'toril:beats', K.base .. 'toril:workers'
local now = now_ms()

-- A job that waits in `active` with a lock of a dead worker; its token begins with the worker's id.
local function give_back(dead, most)
  local given_back = {}
  local active = call('LRANGE', K.active, 0, -1)
  for from = 1, #active, LIMIT do
    local locks = {}
    for i = from, math.min(from + LIMIT - 1, #active) do
      locks[#locks + 1] = K.base .. active[i] .. ':lock'
    end
    for i, token in ipairs(call('MGET', unpack(locks))) do
      local job_id = active[from + i - 1]
      if #given_back < LIMIT and token and dead[string.match(token, '^[^:]*')]
        and call('LREM', K.active, 1, job_id) > 0 then
        call('DEL', locks[i])
        call('SREM', K.stalled, job_id)
        if call('EXISTS', K.base .. job_id) == 1 then
          give_back_stalled(job_id, most)
          given_back[#given_back + 1] = job_id
        end
      end
    end
  end
  return given_back
end

go_on_when_full()
if not call('SET', K.base .. 'toril:beating', now, 'PX', ARGV[4], 'GET') then
  -- Nobody was heard, so the server was away, or all workers were: each one's time begins anew.
  for _, worker in ipairs(call('ZRANGE', beats, 0, -1)) do
    call('ZADD', beats, 'GT', now + ARGV[3], worker)
  end
end
local begins = call('ZADD', beats, now + ARGV[3], ARGV[2])
if call('HGET', cards, ARGV[2]) ~= ARGV[6] then
  call('HSET', cards, ARGV[2], ARGV[6])
end
local most = tonumber(ARGV[5])
local late = most >= 0 and call('ZRANGEBYSCORE', beats, '-inf', now) or {}
if #late == 0 then
  return { begins, {} }
end
local dead = {}
for _, worker in ipairs(late) do
  dead[worker] = true
end
trim_events()
local given_back = give_back(dead, most)
if #given_back < LIMIT then
  call('ZREM', beats, unpack(late))
  call('HDEL', cards, unpack(late))
end
if #given_back > 0 then
  wake()
end
return { begins, given_back }
