--[[ Let a child's parent wait for it no longer.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] the child's id
  Returns 0, or -1 no such job, -5 its parent is gone, 1 no parent waits for it
  Events  of the parent: waiting, delayed
]]
--- @include "keys"
--- @include "forget"

local key = K.base .. ARGV[2]
if call('EXISTS', key) == 0 then
  return -1
end
local field = call('HGET', key, 'parent')
local parent = parent_in(field)
if not parent or call('SISMEMBER', parent.key .. ':dependencies', key) == 0 then
  return 1
end
if call('EXISTS', parent.key) == 0 then
  return -5
end
leave_parent(field, ARGV[2], false)
call('HDEL', key, 'parentKey', 'parent')
return 0
