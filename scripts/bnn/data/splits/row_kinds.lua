--- What rows have in common for a split: their class, or the group that they belong to.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local number = require "bnn.base.number"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

--- Collects rows by a value of each: the lists of rows, in the order of their values.
-- @param values list of numbers, or of strings
-- @return list of {value=, rows=}
local function collect(values)
  local by_value, list = {}, {}
  for row, value in ipairs(values) do
    local kind = by_value[value]
    if not kind then
      kind = {value = value, rows = {}}
      by_value[value], list[#list + 1] = kind, kind
    end
    kind.rows[#kind.rows + 1] = row
  end
  table.sort(list, function(a, b)
    if type(a.value) == "string" then return strings.before(a.value, b.value) end
    return a.value < b.value
  end)
  return list
end

-- The name of a class for messages: "'cat'", or "3".
local function class_text(names, value)
  local name = names and names[value + 1]
  return name and ("'%s'"):format(strings.shown(name)) or number.text(value)
end

--- The rows of each class of a part.
-- @param what string: the function, for messages
-- @param target string: whose classes are meant of targets by name; true of one alone
-- @return list of {value=, rows=, text= its name for messages}
function M.of_classes(what, part, target)
  what = what .. ": stratified"
  if not part.y then fail("%s: expected a part with labels y, got none", what) end
  local targets = target == true and named_tensors.names(part.y)
  if targets then
    fail("%s: expected the name of a target, one of %s, got true", what,
      table.concat(targets, ", "))
  end
  local y, names = classes.of_target(what, part, target ~= true and target or nil)
  local labels, fault = classes.labels(y)
  if not labels then fail("%s: %s", what, fault) end
  local list = collect(labels:totable())
  for _, kind in ipairs(list) do kind.text = class_text(names, kind.value) end
  return list
end

-- The value of each row; a NaN equals nothing, so that its row would be in no group.
local function group_values(what, groups)
  local list = groups
  if kinds.is_object(groups, "tensor") then
    if groups:dim() ~= 1 then
      fail("%s: groups: expected [n], got %s", what, shapes.text(groups))
    end
    list = groups:totable()
  elseif not kinds.is_plain(groups) then
    fail.expected(what .. ": groups", "a tensor [n] or a list of numbers or strings", groups)
  end
  for i = 1, #list do -- nil is an entry too
    local value, kind = list[i], type(list[i])
    if kind ~= "number" and kind ~= "string" or kind ~= type(list[1]) or value ~= value then
      fail("%s: groups: expected only numbers or only strings, entry %d is %s", what, i,
        kinds.show(value))
    end
  end
  return list
end

--- The rows of each group.
-- @param groups tensor [n], or list of numbers or strings: the group of each row
-- @return list of {value=, rows=}
function M.of_groups(what, part, groups)
  local values = group_values(what, groups)
  if #values ~= part.size then
    fail("%s: groups: expected one for each of the %d rows, got %d", what, part.size, #values)
  end
  return collect(values)
end

--- The kinds of rows that a split's options are about.
-- @return the classes, or nil, and the groups, or nil: each a list of {value=, rows=}
function M.of_options(what, part, opts)
  local groups
  if opts.groups ~= nil then groups = M.of_groups(what, part, opts.groups) end
  return opts.stratified and M.of_classes(what, part, opts.stratified) or nil, groups
end

--- A copy of a list in an order that is a function of the key and of its length.
function M.shuffled(list, key)
  local order, copy = core.permutation(key, #list):totable(), {}
  for i, at in ipairs(order) do copy[i] = list[at] end
  return copy
end

--- The rows of all kinds, class after class, those of each in an order of the key's.
function M.shuffled_by_kind(list, key)
  local rows = {}
  for i, kind in ipairs(list) do
    table.move(M.shuffled(kind.rows, key:fold(i)), 1, #kind.rows, #rows + 1, rows)
  end
  return rows
end

return M
