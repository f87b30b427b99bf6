--- What bnn.data.preprocess takes, checked: the steps of each column.
local column_steps = require "bnn.data.preprocessing.column_steps"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local options = require "bnn.base.options"

local M = {}

-- The encodings of categories: name -> the options that they take.
local ENCODING = {unknown = {type = "string", choices = {"error", "zeros"}, default = "error"}}
local ENCODINGS = {one_hot = ENCODING, ordinal = {}}

-- The steps that targets may have, in this order.
local TARGET = {log = 1, log1p = 1, standardise = 2}

local function known_steps()
  local names = column_steps.names()
  for _, name in ipairs(options.sorted_names(ENCODINGS)) do names[#names + 1] = name end
  return names
end

local function fail_unknown(what, name)
  local names = known_steps()
  local near = type(name) == "string" and nearest.find(name, names)
  fail("%s: expected steps, or \"ignore\": %s; got %s%s", what, table.concat(names, ", "),
    kinds.show(name), near and (" (did you mean %s?)"):format(near) or "")
end

-- A step, "clip" or {"clip", min = 0}, as {step = "clip", min = 0}.
local function read_step(what, given)
  local name, own = given, {}
  if type(given) == "table" and kinds.is_plain(given) then
    name = given[1]
    for key, value in pairs(given) do
      if key ~= 1 then own[key] = value end
    end
  end
  local row = column_steps.rows[name]
  local spec = row and row.options or ENCODINGS[name]
  if not spec then fail_unknown(what, name) end
  local step = options.check(("%s: %s"):format(what, name), own, spec)
  step.step = name
  return step
end

-- Whether a table is one step with its options rather than a list of steps.
local function is_step(given)
  for key in pairs(given) do
    if type(key) == "string" then return true end
  end
  return false
end

local function check_order(what, steps)
  for i, step in ipairs(steps) do
    if ENCODINGS[step.step] and #steps > 1 then
      fail("%s: expected %s alone, got %d steps", what, step.step, #steps)
    end
    for k = 1, i - 1 do
      if steps[k].step == step.step then
        fail("%s: expected different steps, '%s' is there twice", what, step.step)
      end
    end
  end
end

--- Reads the steps of columns: "ignore", a step, or a list of steps.
-- @return list of {step = name, options}, or "ignore"
function M.steps(what, given)
  if given == "ignore" then return "ignore" end
  if type(given) == "string" or type(given) == "table" and is_step(given) then given = {given} end
  if not kinds.is_plain(given) then fail_unknown(what, given) end
  local steps = {}
  for i, item in ipairs(given) do steps[i] = read_step(what, item) end
  check_order(what, steps)
  return steps
end

--- Whether steps are of categories ("category"), of numbers ("number"), or of none (nil).
function M.kind_of(steps)
  if steps == "ignore" or not steps[1] then return nil end
  return ENCODINGS[steps[1].step] and "category" or "number"
end

local function check_kind(what, steps, kind, example)
  local got = M.kind_of(steps)
  if got and got ~= kind then
    fail("%s: expected steps of %s, such as %s, got %s", what, kind == "number" and "numbers"
      or "categories", example, steps[1].step)
  end
  return steps
end

local function target_steps(what, given)
  local steps = M.steps(what, given)
  for i, step in ipairs(steps ~= "ignore" and steps or {{step = "ignore"}}) do
    local place = TARGET[step.step]
    if not place or i > 1 and place <= TARGET[steps[i - 1].step] then
      fail('%s: expected "standardise", "log" or "log1p", or a logarithm and then "standardise", '
        .. "got %s", what, step.step)
    end
  end
  return steps
end

local function labels_of(what, label)
  if type(label) == "string" then label = {label} end
  local list, fault = options.accept(label or {}, {type = "string", list = true})
  if fault then fail("%s: label: expected a name or %s, got %s", what, fault, kinds.show(label)) end
  return list
end

--- Reads the options of bnn.data.preprocess.
-- @return {labels=, weight=, numbers=, categories=, columns= {name = steps}, target=}
function M.read(what, given)
  local opts = options.check(what, given, {
    label = "string|table", weight = "string",
    numbers = {type = "any", default = {"impute", "standardise"}},
    categories = {type = "any", default = {"one_hot"}}, columns = "table",
    target = {type = "any", default = {"standardise"}},
  })
  local columns = {}
  for _, name in ipairs(options.sorted_names(opts.columns or {})) do
    columns[name] = M.steps(("%s: columns: '%s'"):format(what, name), opts.columns[name])
  end
  for key in pairs(opts.columns or {}) do
    if type(key) ~= "string" then
      fail("%s: columns: expected names of columns, got %s", what, kinds.show(key))
    end
  end
  local numbers = M.steps(what .. ": numbers", opts.numbers)
  local categories = M.steps(what .. ": categories", opts.categories)
  local labels = labels_of(what, opts.label)
  for _, name in ipairs(labels) do
    if name == opts.weight then
      fail("%s: weight: expected another column than the label, got '%s'", what, name)
    end
  end
  return {
    labels = labels, weight = opts.weight, columns = columns,
    numbers = check_kind(what .. ": numbers", numbers, "number", '"standardise"'),
    categories = check_kind(what .. ": categories", categories, "category", '"one_hot"'),
    target = target_steps(what .. ": target", opts.target),
  }
end

return M
