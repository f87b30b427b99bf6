--- What an augmentation is for the rows of a part: the runtime's, and how batches look.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"

local M = {}

local function check_list(what, list)
  if not kinds.is_plain(list) or #list == 0 then
    fail.expected(what, "a list of augmentations, such as {bnn.augment.shift(2)}", list)
  end
  for i, item in ipairs(list) do
    if not kinds.is_object(item, "augmentation") then
      fail.expected(("%s: entry %d"):format(what, i), "an augmentation, as bnn.augment.shift(2)",
        item)
    end
  end
end

-- The input of this name, or x itself, and its place among the tensors of the part, from 1.
local function input_of(what, part, name)
  local names = named_tensors.names(part.x)
  if not names and name then
    fail("%s: input: expected none, as x is one tensor, got '%s'", what, name)
  elseif not names then
    return part.x, 1
  end
  for i, own in ipairs(names) do
    if own == name then return part.x[name], i end
  end
  fail("%s: input: expected one of %s, got %s", what, table.concat(names, ", "), kinds.show(name))
end

-- Raises unless examples of this part can be mixed.
local function check_mixing(what, part)
  if named_tensors.is_named(part.x) or named_tensors.is_named(part.y) then
    fail("%s: mixup: expected one tensor as x and as y, got several by name", what)
  end
end

-- How many classes the labels have that are to be mixed; 0 if there are none.
local function count_classes(last, part)
  if not last.mixes or not part.y or part.y:dtype() ~= "i32" then return 0 end
  local given = last.options.classes or part.classes and #part.classes
  return given or part.size > 0 and math.tointeger(part.y:real():max():item()) + 1 or 1
end

--- Makes the augmentation of a part.
-- @param what string: the function, for messages
-- @param list list of augmentations of bnn.augment
-- @param part part
-- @param input string: the input of several that is augmented, or nil
-- @return table: core, the runtime's; list; text; input; mixes, whether examples are mixed;
--   seen={x=, y=, weight=} with the shapes and types that batches have if labels are mixed, else
--   nil;
--   input_at, targets_at and weights_at, which of the part's tensors are augmented and mixed, from
--   1, 0 for none
-- Raises if the list does not suit the part.
function M.new(what, list, part, input)
  check_list(what, list)
  local items, words, last = {}, {}, list[#list]
  for i, item in ipairs(list) do
    items[i] = {item.name, item.amount, item.options.mode}
    words[i] = tostring(item)
  end
  local x, input_at = input_of(what, part, input)
  if last.mixes then check_mixing(what, part) end
  local classes = count_classes(last, part)
  local y = last.mixes and part.y or nil
  local made = fail.within(what, core.augment, items, classes, x, y)
  local seen = classes > 0 and {x = x, y = core.zeros(0, classes), weight = part.weight} or nil
  local weights_at = last.mixes and part.weight and (y and 3 or 2) or 0
  return {core = made, list = list, text = table.concat(words, ", "), input = input, seen = seen,
          mixes = last.mixes, input_at = input_at, targets_at = y and 2 or 0,
          weights_at = weights_at}
end

return M
