--- What an augmentation is for the rows of a part: the runtime's, and how batches look.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"

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
-- @return table: core, the runtime's; list; text; mixes, whether examples are mixed; seen={x=, y=}
--   with the shapes and types that batches have if labels are mixed, else nil
-- Raises if the list does not suit the part.
function M.new(what, list, part)
  check_list(what, list)
  local items, words, last = {}, {}, list[#list]
  for i, item in ipairs(list) do
    items[i] = {item.name, item.amount, item.options.mode}
    words[i] = tostring(item)
  end
  if last.mixes and part.weight then
    fail("%s: mixup: expected a part without weights, as two examples become one", what)
  end
  local classes = count_classes(last, part)
  local made = fail.within(what, core.augment, items, classes, part.x, part.y)
  local seen = classes > 0 and {x = part.x, y = core.zeros(0, classes)} or nil
  return {core = made, list = list, text = table.concat(words, ", "), seen = seen,
          mixes = last.mixes}
end

return M
