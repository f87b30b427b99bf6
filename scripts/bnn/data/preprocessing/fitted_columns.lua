--- Columns of a table as a preprocess value has them: fitted to training rows, applied to any.
--
-- A fitted column is plain data: {name=, kind="number", steps={{step=, what it learnt}, ...}} or
-- {name=, kind="category", categories={...}, missing=BOOLEAN, steps={{step=, unknown=}}}; one that
-- is left out has ignore = true and no steps.
local column_steps = require "bnn.data.preprocessing.column_steps"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local model_classes = require "bnn.model.classes"
local notice = require "bnn.base.notice"
local preprocess_options = require "bnn.data.preprocessing.preprocess_options"
local table_schema = require "bnn.data.tables.table_schema"

local M = {}

local MISSING = "missing" -- NAME=missing: where a value was missing

local WORDS = {number = "numbers", category = "categories"}

--- "what: column 'NAME'", which begins messages.
function M.at(what, name) return ("%s: column '%s'"):format(what, name) end

-- ---- fitting ----

-- The steps that the options name for a column of a table.
local function steps_for(what, column, opts)
  local own = opts.columns[column.name]
  local steps = own or (column.kind == "category" and opts.categories or opts.numbers)
  local kind = preprocess_options.kind_of(steps)
  if kind and kind ~= column.kind then
    fail("%s: expected steps of %s, as the table has it, got %s (types = {NAME = \"%s\"} of the "
      .. "reader says what it holds)", M.at(what, column.name), WORDS[column.kind], steps[1].step,
      kind)
  end
  return steps
end

-- Says which categories no training row has: their columns stay at what the prior says.
local function say_absent(at, codes, categories)
  local seen, absent = {}, {}
  for _, code in ipairs(codes) do seen[code] = true end
  for i, category in ipairs(categories) do
    if not seen[i - 1] then absent[#absent + 1] = category end
  end
  if not absent[1] then return end
  notice.say("%s: no training row has %s", at, model_classes.words(absent))
end

local function fit_category(what, column, steps)
  local codes, has_missing = column.values:totable(), false
  for _, code in ipairs(codes) do has_missing = has_missing or code < 0 end
  say_absent(M.at(what, column.name), codes, column.categories)
  local step = steps[1] or {step = "ordinal"}
  return {
    name = column.name, kind = "category", missing = has_missing,
    categories = table.move(column.categories, 1, #column.categories, 1, {}),
    steps = {{step = step.step, unknown = step.unknown}},
  }
end

--- Fits a column.
-- @param column {name=, kind=, values=, categories=} as table:column returns it
-- @return fitted column
function M.fit(what, column, opts)
  local steps = steps_for(what, column, opts)
  local name, kind = column.name, column.kind
  if steps == "ignore" then return {name = name, kind = kind, ignore = true, steps = {}} end
  if kind == "category" then return fit_category(what, column, steps) end
  local fitted = column_steps.fit(column.values:totable(), steps, M.at(what, name))
  return {name = name, kind = kind, steps = fitted}
end

-- ---- applying ----

-- Codes of another table as those of the fitted column, counted from 1; a missing value has the
-- number after the last category, one that is not known 0.
local function translate(at, column, given)
  local numbers, codes = model_classes.numbers(column.categories), {}
  local fault = "%s: row %d: expected one of %s, got %s%s"
  for i, code in ipairs(given.values:totable()) do
    local text = given.categories[code + 1]
    local n = text and numbers[text] or not text and column.missing and #column.categories
    if not n and column.steps[1].unknown ~= "zeros" then
      fail(fault, at, i, model_classes.words(column.categories), text and "'" .. text .. "'"
        or "a missing value, none was in training", column.steps[1].step == "one_hot"
        and ' ({"one_hot", unknown = "zeros"} accepts it)' or "")
    end
    codes[i] = n and n + 1 or 0
  end
  return codes
end

local function as_column(list) return core.tensor(list):real():reshape(#list, 1) end

-- The columns of codes: a row of the identity for each, zeros for what is not known.
local function one_hot(codes, width)
  local rows = core.ops.concat({core.zeros(1, width), core.eye(width)}, 1)
  return rows:index(core.tensor(codes, "i32") + 1)
end

local function encode(at, column, given)
  local codes = translate(at, column, given)
  if column.steps[1].step == "one_hot" then
    return one_hot(codes, #M.names(column))
  end
  for i, code in ipairs(codes) do codes[i] = code - 1 end
  return as_column(codes)
end

-- A column without a value is of either kind: nothing in it says of which.
local function of_kind(kind, given)
  local n = given.values:size(1)
  if given.kind == kind or table_schema.missing(given) < n then return given end
  if kind == "number" then return {kind = kind, values = core.full({n}, 0 / 0)} end
  return {kind = kind, values = core.full({n}, -1, "i32"), categories = {}}
end

--- Applies a fitted column.
-- @return list of tensors [n, k], together as wide as M.names
function M.apply(what, column, given)
  local at = M.at(what, column.name)
  given = of_kind(column.kind, given)
  if given.kind ~= column.kind then
    fail("%s: expected %s, as in training, got %s (like = of the reader reads a file as the "
      .. "training file)", at, WORDS[column.kind], WORDS[given.kind])
  end
  if column.kind == "category" then return {encode(at, column, given)} end
  local list = given.values:totable()
  local flags = column_steps.run(list, column.steps, at)
  return {as_column(list), flags and as_column(flags)}
end

--- Lists the names of the columns that a fitted column becomes.
function M.names(column)
  if column.ignore then return {} end
  local names = {column.name}
  if column.kind == "number" then
    for _, step in ipairs(column.steps) do
      if step.indicator then names[2] = column.name .. "=" .. MISSING end
    end
  elseif column.steps[1].step == "one_hot" then
    for i, category in ipairs(column.categories) do names[i] = column.name .. "=" .. category end
    if column.missing then names[#column.categories + 1] = column.name .. "=" .. MISSING end
  end
  return names
end

--- Says what becomes of a fitted column.
function M.text(column)
  if column.ignore then return "ignored" end
  local texts = {}
  for i, step in ipairs(column.kind == "number" and column.steps or {}) do
    texts[i] = column_steps.rows[step.step].text(step)
  end
  if column.kind == "category" then
    local categories = table.move(column.categories, 1, #column.categories, 1, {})
    if column.missing then categories[#categories + 1] = MISSING end
    texts[1] = column.steps[1].step .. ": " .. model_classes.words(categories)
  end
  return texts[1] and table.concat(texts, ", ") or "as it is"
end

return M
