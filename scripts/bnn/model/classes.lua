--- Classes by name: which number each has, and whether data and model agree on that.
--
-- Numbers belong to the training part, which has `classes`, the names in their order, counted from
-- 0. Whatever is read later takes them over, by classes= or like=; a class that is not among them
-- is an error, one that does not occur keeps its number.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local SHOWN = 12 -- names in a message

--- A list of names for messages: "ant, bee, cat".
function M.words(names)
  if #names <= SHOWN then return table.concat(names, ", ") end
  return strings.message("%s, ... (%d in all)", table.concat(names, ", ", 1, SHOWN - 1), #names)
end

--- Raises unless the names are different and not empty.
function M.check(what, names)
  if type(names) ~= "table" then fail.expected(what .. ": classes", "a list of names", names) end
  local seen = {}
  for i, name in ipairs(names) do
    if type(name) ~= "string" or name == "" then
      fail("%s: classes: expected names, entry %d is %s", what, i,
        name == "" and "empty" or kinds.shown(name))
    elseif seen[name] then
      fail("%s: classes: expected different names, '%s' is there twice", what, name)
    end
    seen[name] = true
  end
  if #names == 0 then fail("%s: classes: expected names, got an empty list", what) end
end

-- Whether classes are lists by the names of targets.
local function is_by_target(names)
  return type(names) == "table" and names[1] == nil and next(names) ~= nil
end

--- Checks the classes= of data or a model: a list of names, or such lists by target.
function M.check_given(what, names)
  if not is_by_target(names) then return M.check(what, names) end
  for _, target in ipairs(options.sorted_names(names)) do
    if type(names[target]) ~= "table" then
      fail("%s: classes: %s: expected a list of names, got %s", what, target,
        kinds.show(names[target]))
    end
    M.check(("%s: %s"):format(what, target), names[target])
  end
end

--- The same, of data with targets y.
-- @param y tensor, named tensors or nil
function M.check_of(what, names, y)
  M.check_given(what, names)
  local targets = named_tensors.names(y)
  if not targets and is_by_target(names) then
    fail("%s: classes: expected a list of names, as y is one tensor, got lists by target", what)
  end
  local words = targets and table.concat(targets, ", ")
  if targets and not is_by_target(names) then
    fail("%s: classes: expected lists of names by target (%s), got a list", what, words)
  end
  for _, target in ipairs(targets and options.sorted_names(names) or {}) do
    if not y[target] then
      fail("%s: classes: expected lists of names by target (%s), got '%s'", what, words, target)
    end
  end
end

--- Classes from anywhere, such as a file: the same if they are classes; else nil.
function M.of_data(names)
  if fail.try(M.check_given, "", names) then return names end
end

--- Calls f(name) for each class, in order: of targets by name also with the targets' own.
function M.each(names, f)
  for _, name in ipairs(names or {}) do f(name) end
  for _, target in ipairs(names and options.sorted_names(names) or {}) do
    f(target)
    M.each(names[target], f)
  end
end

--- The targets of a part and the names of their classes, or nil: of several targets those of one.
-- @param what string: the function, for messages
-- @param target string: its name, or nil of one alone
-- @return tensor, list or nil
function M.of_target(what, part, target)
  local names = named_tensors.names(part.y)
  if not names then
    if target == nil then return part.y, part.classes end
    fail("%s: target: expected none, as y is one tensor, got '%s'", what, target)
  end
  local y = target and part.y[target]
  if y then return y, part.classes and part.classes[target] end
  fail("%s: target: expected one of %s, got %s", what, table.concat(names, ", "),
    kinds.show(target))
end

-- The table in `like` that may have classes: of a data set, its training part.
local function source_of(like)
  if type(like.train) == "table" then return like.train end
  return like
end

--- The classes that the options of a reader say: classes=, or those of like=, which is a part, a
-- data set (its train), a model that bnn.checkpoint.open gave, an objective, or their list.
-- @param what string: the reader, for messages
-- @param opts table: classes=, like=
-- @return list of names, or nil; the table that like= means, or nil
function M.given(what, opts)
  local names, like = opts.classes, opts.like
  if names and like then fail("%s: expected classes= or like=, got both", what) end
  if like then
    like = source_of(like)
    names = like.classes or type(like[1]) == "string" and like or nil
  end
  if names then M.check(what, names) end
  return names, like
end

--- name -> number, counted from 0.
function M.numbers(names)
  local numbers = {}
  for i, name in ipairs(names) do numbers[name] = i - 1 end
  return numbers
end

--- What two lists of classes differ in, in words; nil when they are the same, or one is not known.
-- @param ours list or nil: of the data; or lists by the names of targets
-- @param theirs list or nil: of the model; the same
function M.difference(ours, theirs)
  if not ours or not theirs then return nil end
  if is_by_target(ours) ~= is_by_target(theirs) then
    return "classes by target differ from a list of them"
  end
  for _, target in ipairs(is_by_target(ours) and options.sorted_names(ours) or {}) do
    local fault = M.difference(ours[target], theirs[target])
    if fault then return strings.message("%s: %s", target, fault) end
  end
  if is_by_target(ours) then return nil end
  local same = #ours == #theirs
  for i = 1, #ours do same = same and ours[i] == theirs[i] end
  if same then return nil end
  return strings.message("the classes are %s; those of the model are %s", M.words(ours),
    M.words(theirs))
end

--- Raises when a part of data numbers its classes otherwise than a model does.
-- @param what string: the function, for messages
-- @param model table with classes, or without
-- @param part table with classes, or without; other values, such as a tensor, have none
function M.check_same(what, model, part)
  local fault = type(part) == "table" and M.difference(part.classes, model.classes)
  if not fault then return end
  local origin = part.origin and part.origin .. ": " or ""
  fail("%s: %s%s (read the data with like = the model)", what, origin, fault)
end

--- Labels of classes as i32 [n]: whole numbers of any type, [n] or [n, 1].
-- @param y tensor
-- @param of_positions boolean: true takes labels of positions too, [n, t]
-- @return tensor; or nil, message
function M.labels(y, of_positions)
  if y:dim() == 2 and y:size(2) == 1 then y = y:view(y:size(1)) end
  if y:dim() ~= 1 and not (of_positions and y:dim() == 2) then
    local also = of_positions and " or [n, t]" or ""
    return nil, strings.message("labels are %s, expected [n] or [n, 1]%s", shapes.text(y), also)
  end
  if y:dtype() == "i32" then return y end
  local ok, labels = fail.try(y.to, y, "i32")
  if ok then return labels end
  for i, v in ipairs(y:reshape(y:numel()):totable()) do
    if v ~= v // 1 or v < -2^31 or v >= 2^31 then
      return nil, strings.message("label %d is %s, expected a whole number", i, number.text(v))
    end
  end
  error(labels, 0)
end

local converted = setmetatable({}, {__mode = "k"}) -- y -> labels, while y lives

--- Whether targets are shares of classes, real [n, C] with more than one, in place of labels.
function M.are_shares(y) return y:dim() == 2 and y:size(2) > 1 and y:dtype():find "^f" ~= nil end

local tables = setmetatable({}, {__mode = "k"}) -- y by name -> the same of labels, while y lives

-- Whether two tables hold the same tensors.
local function same_tensors(a, b)
  for name, tensor in pairs(a) do
    if not rawequal(b[name], tensor) then return false end
  end
  return true
end

-- Targets by name, each as its likelihood takes it; the table itself where nothing changes, and
-- else the same one again.
local function targets_by_name(what, likelihood, y)
  local result = {}
  for name, tensor in pairs(y) do
    result[name] = M.targets(("%s: %s"):format(what, name), likelihood.targets[name], tensor)
  end
  if same_tensors(result, y) then return y end
  local known = tables[y]
  if known and same_tensors(result, known) then return known end
  tables[y] = named_tensors.named(result)
  return tables[y]
end

--- Targets as a likelihood takes them: labels of one of classes or their shares, else what they
-- are. The same tensor gives the same one again.
-- @param what string: the function, for messages
-- @param likelihood table or nil
-- @param y tensor, named tensors or nil
function M.targets(what, likelihood, y)
  if not y or not likelihood then return y end
  if likelihood.targets and named_tensors.is_named(y) then
    return targets_by_name(what, likelihood, y)
  end
  if not likelihood.classes or named_tensors.is_named(y) then return y end
  if y:dim() == 1 and y:dtype() == "i32" or M.are_shares(y) then return y end
  if converted[y] then return converted[y] end
  local labels, fault = M.labels(y, true)
  if not labels then fail("%s: %s", what, fault) end
  converted[y] = labels
  return labels
end

return M
