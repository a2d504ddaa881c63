--[[ Read a job's children by what has become of them.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] how many of each kind at the most
  Returns {{key, result, …} processed, {key, …} pending, {key, reason, …} ignored failures,
          {key, …} failures that failed the job, {how many there are of each kind}}
  Bound   ARGV[3] where a job has more children than that
]]
--- @include "keys"

local key, limit = K.base .. ARGV[2], tonumber(ARGV[3])

local function some(name, scan, each)
  local found, cursor = {}, '0'
  repeat
    local page = call(scan, key .. name, cursor, 'COUNT', limit)
    cursor = page[1]
    for _, item in ipairs(page[2]) do
      if #found < limit * each then
        found[#found + 1] = item
      end
    end
  until cursor == '0' or #found >= limit * each
  return found
end

return {
  some(':processed', 'HSCAN', 2),
  some(':dependencies', 'SSCAN', 1),
  some(':failed', 'HSCAN', 2),
  call('ZRANGE', key .. ':unsuccessful', 0, limit - 1),
  {
    call('HLEN', key .. ':processed'), call('SCARD', key .. ':dependencies'),
    call('HLEN', key .. ':failed'), call('ZCARD', key .. ':unsuccessful'),
  },
}
