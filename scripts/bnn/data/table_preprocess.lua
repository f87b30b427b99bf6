--- Preprocessing of tables as a value: it is fitted to training rows, turns any table of the same
-- columns into a part of a data set, and takes predictions back to the units of the targets.
--
-- A fitted value is plain data inside: {columns = {fitted columns}, target = {...}, weight = name,
-- size = n, order = {names of the table}}, with target = {kind = "number", columns = {{name=,
-- steps=}}}, {kind = "category", name=, classes=} or nil. bnn.data.preprocessing.preprocess_data
-- reads it back.
local column_steps = require "bnn.data.preprocessing.column_steps"
local core = require "bnn.core"
local example_weights = require "bnn.model.example_weights"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local fitted_columns = require "bnn.data.preprocessing.fitted_columns"
local kinds = require "bnn.base.kinds"
local metrics = require "bnn.metrics.all_metrics"
local model_classes = require "bnn.model.classes"
local nearest = require "bnn.base.nearest"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local parts = require "bnn.data.part"
local preprocess_data = require "bnn.data.preprocessing.preprocess_data"
local preprocess_options = require "bnn.data.preprocessing.preprocess_options"
local strings = require "bnn.base.strings"
local table_text = require "bnn.base.table_text"
local target_units = require "bnn.data.preprocessing.target_units"

local M = {}

local Preprocess = {__name = "bnn.preprocess"}
Preprocess.__index = Preprocess

-- ---- making and fitting ----

--- Describes how a table becomes a part of a data set; preprocess:fit then learns from the training
-- rows what it needs.
--     local prep = bnn.data.preprocess{
--       label = "price", numbers = {"impute", "standardise"}, categories = {"one_hot"},
--       columns = {income = {"log", "impute", "standardise"}, zip = "ignore"},
--     }
--     local rows = bnn.data.table{
--       {name = "colour", values = {"red", "blue", "red"}}, {name = "zip", values = {1, 2, 3}},
--       {name = "income", values = {100, 0/0, 300}}, {name = "price", values = {1, 2, 4}},
--     }
--     local fitted = prep:fit(rows)                     -- rows: those to train on, no others
--     print(fitted:apply(rows))                         -- data: 3 examples, x f32 [3, 4], y f32
-- Steps of numbers run in the order in which they are given. "standardise" subtracts the mean and
-- divides by the standard deviation. "impute" fills missing values with the median, or {"impute",
-- value = 0}; where training rows lack values, a column NAME=missing of 0 and 1 follows, unless
-- indicator = false. "log" is the natural logarithm of numbers above 0, "log1p" that of 1 + x
-- above 0. "clip" goes to the quantiles 0.01 and 0.99 of the training rows, to {"clip", quantiles =
-- {0.05, 0.95}} or to {"clip", min = 0, max = 10}.
--
-- Of categories, "one_hot" makes a column NAME=CATEGORY of each, and NAME=missing where training
-- rows lack values; a category or a missing value that is new is an error, or zeros with
-- {"one_hot", unknown = "zeros"}. "ordinal" gives the number of the category, from 0, such as
-- embeddings take, and the next one for a missing value.
-- @param opts table:
--   label       the target's column, or a list of columns of numbers; none: x alone
--   weight      the column of the examples' weights, numbers of at least 0 that stay as they are
--   numbers     steps of columns of numbers, default {"impute", "standardise"}
--   categories  steps of columns of categories, default {"one_hot"}
--   columns     {NAME = steps, a step or "ignore"}, where a column differs
--   target      steps of a target of numbers, default {"standardise"}: also "log", "log1p", {"log",
--               "standardise"}, or {} for none. Targets of categories become classes 0, 1, ...
-- @return preprocess, not fitted
-- Raises if a step is unknown, has a wrong option, or is not of that kind of column.
function M.preprocess(opts)
  return setmetatable({opts = preprocess_options.read("bnn.data.preprocess", opts)}, Preprocess)
end

local function check_table(what, t)
  if kinds.is_object(t, "frame") then return t end
  if kinds.is_plain(t) then
    fail("%s: table: expected a table, as bnn.data.table reads it, got a plain Lua table: "
      .. "bnn.data.table(rows, {like = preprocess}) reads rows", what)
  end
  fail.expected(what .. ": table", "a table, as bnn.data.table reads it", t)
end

local function copy(list) return list and table.move(list, 1, #list, 1, {}) end

local function as_set(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

-- Raises unless a table has these columns.
local function check_columns(what, t, names)
  local has = as_set(t.names)
  for _, name in ipairs(names) do
    if not has[name] then
      local near = nearest.find(name, t.names)
      fail("%s: expected a column '%s'%s, the table has %s", what, name,
        near and (" (did you mean '%s'?)"):format(near) or "", model_classes.words(t.names))
    end
  end
end

-- Targets are never missing where there are any.
local function check_label(what, column)
  local at, is_number = fitted_columns.at(what, column.name), column.kind == "number"
  for i, v in ipairs(column.values:totable()) do
    if is_number and v ~= v or not is_number and v < 0 then
      fail("%s: expected a target in each row, row %d lacks one", at, i)
    end
  end
  return column
end

-- The weights of a table's rows; nil if it lacks their column.
local function weights(what, rows, name)
  if not name or not as_set(rows.names)[name] then return nil end
  local column, at = rows:column(name), fitted_columns.at(what, name)
  if column.kind ~= "number" then fail("%s: expected weights, numbers, got categories", at) end
  return example_weights.check(at, column.values, rows.size)
end

local function fit_classes(column)
  return {kind = "category", name = column.name, classes = copy(column.categories)}
end

local function fit_target(what, t, opts)
  local first = opts.labels[1] and check_label(what, t:column(opts.labels[1]))
  if not first then return nil end
  if first.kind == "category" and not opts.labels[2] then return fit_classes(first) end
  local target = {kind = "number", columns = {}}
  for i, name in ipairs(opts.labels) do
    local column = check_label(what, t:column(name))
    local at = fitted_columns.at(what, name)
    if column.kind ~= "number" then
      fail("%s: expected numbers beside another target, got categories", at)
    end
    target.columns[i] = {name = name, steps = column_steps.fit(column.values:totable(),
      opts.target, at)}
  end
  return target
end

-- What one column did to its target, y = (g(y) - mean) / std: mean, std, the logarithm's name.
local function unit_of(steps)
  local mean, std, log = 0, 1, nil
  for _, step in ipairs(steps) do
    if step.step == "standardise" then mean, std = step.mean, step.std else log = step.step end
  end
  return mean, std, log
end

-- The units of all targets, for target_units.
local function units_of(target)
  local units = {mean = {}, std = {}}
  for i, column in ipairs(target.columns) do
    units.mean[i], units.std[i], units.log = unit_of(column.steps)
  end
  return units
end

-- Names of all columns of x.
local function names_of(columns)
  local names = {}
  for _, column in ipairs(columns) do
    for _, name in ipairs(fitted_columns.names(column)) do names[#names + 1] = name end
  end
  return names
end

-- A fitted value of its data.
local function of(data)
  local target = data.target
  return setmetatable({
    data = data, names = names_of(data.columns), classes = target and target.classes,
    units = target and target.kind == "number" and units_of(target) or nil,
  }, Preprocess)
end

--- Fits to the rows to train on: medians, means, quantiles, categories and whether values are
-- missing. The value itself does not change.
--     local rows = bnn.data.table{
--       {name = "age", values = {30, 0/0, 50}}, {name = "price", values = {1, 2, 6}},
--     }
--     local fitted = bnn.data.preprocess{label = "price"}:fit(rows)
--     print(fitted)                                     -- preprocess of ... and what becomes of it
--     print(fitted.names)                               -- {"age", "age=missing"}
-- @param rows table of bnn.data.table
-- @return preprocess: fitted, with names= of the columns of x, and classes= of a target of
--   categories
-- Raises if a column is missing, has no value, or has one that a step does not take.
function Preprocess:fit(rows)
  local what, opts = "preprocess:fit", self.opts
  if not opts then fail("%s: expected one that is not fitted yet, got a fitted one", what) end
  check_table(what, rows)
  if rows.size == 0 then fail("%s: expected rows to fit on, got none", what) end
  check_columns(what, rows, opts.labels)
  check_columns(what, rows, {opts.weight})
  check_columns(what, rows, options.sorted_names(opts.columns))
  local apart, columns = as_set(opts.labels), {}
  if weights(what, rows, opts.weight) then apart[opts.weight] = true end
  for _, name in ipairs(rows.names) do
    if not apart[name] then
      columns[#columns + 1] = fitted_columns.fit(what, rows:column(name), opts)
    end
  end
  local fitted = of{
    columns = columns, target = fit_target(what, rows, opts), weight = opts.weight,
    size = rows.size, order = copy(rows.names),
  }
  if not fitted.names[1] then fail("%s: expected a column besides targets, got none", what) end
  return fitted
end

-- ---- applying ----

-- Raises unless the value is fitted.
local function check_fitted(what, self)
  if self.data then return self.data end
  fail("%s: expected a fitted preprocess: prep:fit(table) makes one", what)
end

-- Classes of a target's codes by the numbers of training, i32 [n].
local function class_numbers(what, target, column)
  local at, labels = fitted_columns.at(what, target.name), {}
  if column.kind ~= "category" then fail("%s: expected categories, got numbers", at) end
  local numbers = model_classes.numbers(target.classes)
  for i, code in ipairs(column.values:totable()) do
    local name = column.categories[code + 1]
    labels[i] = numbers[name]
    if not labels[i] then
      fail("%s: row %d: expected one of %s, got '%s'", at, i, model_classes.words(target.classes),
        name)
    end
  end
  return core.tensor(labels, "i32")
end

-- The targets of a table, or nil if it lacks them.
local function targets(what, target, rows)
  local has = as_set(rows.names)
  local names = {target.name}
  for i, column in ipairs(target.columns or {}) do names[i] = column.name end
  for _, name in ipairs(names) do
    if not has[name] then return nil end
  end
  if target.kind == "category" then
    return class_numbers(what, target, check_label(what, rows:column(target.name)))
  end
  local columns = {}
  for i, fitted in ipairs(target.columns) do
    local column = check_label(what, rows:column(fitted.name))
    columns[i] = fitted_columns.apply(what,
      {name = fitted.name, kind = "number", steps = fitted.steps}, column)[1]
  end
  return parameters.concat(columns, 2)
end

--- Turns a table into a part of a data set by what was fitted. Categories go by their names, so a
-- table may number them otherwise; a category that is missing keeps its column.
--     local rows = bnn.data.table{
--       {name = "age", values = {30, 40, 50}}, {name = "price", values = {1, 2, 6}},
--     }
--     local fitted = bnn.data.preprocess{label = "price"}:fit(rows)
--     local part = fitted:apply(bnn.data.table{{name = "age", values = {40, 60}}})
--     print(part.x, part.y)                             -- tensor [2, 1], nil
-- A value that is missing where none was in training is filled with the median, which a line on
-- stderr says; without the step "impute", and of categories, it is an error.
-- @param rows table of bnn.data.table with the columns of training; others are left out. Without
--   the target it gives no y, without their column no weights
-- @return part: x real [n, d], names of its d columns, y real [n, k] or i32 [n] of classes,
--   classes, weight [n] and preprocess, this value, which bnn.train keeps in checkpoints
-- Raises if a column is missing, is of another kind, or has a category that is new.
function Preprocess:apply(rows)
  local what = "preprocess:apply"
  local data = check_fitted(what, self)
  check_table(what, rows)
  local used, x = {}, {}
  for _, column in ipairs(data.columns) do
    if not column.ignore then used[#used + 1] = column.name end
  end
  check_columns(what, rows, used)
  for _, column in ipairs(data.columns) do
    local given = not column.ignore and rows:column(column.name)
    local made = given and fitted_columns.apply(what, column, given) or {}
    for _, tensor in ipairs(made) do x[#x + 1] = tensor end
  end
  return parts.from_tensors{
    x = parameters.concat(x, 2), y = data.target and targets(what, data.target, rows),
    weight = weights(what, rows, data.weight), names = copy(self.names), classes = self.classes,
    origin = rows.origin, preprocess = self,
  }
end

-- name -> what a schema says of the column.
local function described(data)
  local known, target = {}, data.target or {}
  for _, column in ipairs(data.columns) do
    known[column.name] = {name = column.name, kind = column.ignore and "ignore" or column.kind,
                          categories = copy(column.categories)}
  end
  for _, column in ipairs(target.columns or {}) do
    known[column.name] = {name = column.name, kind = "number", optional = true}
  end
  if data.weight then
    known[data.weight] = {name = data.weight, kind = "number", optional = true}
  end
  if target.classes then
    known[target.name] = {name = target.name, kind = "category", optional = true,
                          categories = copy(target.classes)}
  end
  return known
end

--- Returns what the columns are, in the order of the training table: bnn.data.table(path, {like =
-- fitted}) reads another file by it.
--     local rows = bnn.data.table{
--       {name = "age", values = {30, 0/0, 50}}, {name = "price", values = {1, 2, 6}},
--     }
--     local fitted = bnn.data.preprocess{label = "price"}:fit(rows)
--     print(fitted:schema()[2].name)                    -- price
-- @return list of {name=, kind=, categories=, optional=}: the kind is "ignore" of what is left out;
--   targets and weights are optional
-- Raises if it is not fitted.
function Preprocess:schema()
  local data = check_fitted("preprocess:schema", self)
  local known, schema = described(data), {}
  for _, name in ipairs(data.order) do schema[#schema + 1] = known[name] end
  return schema
end

-- ---- the way back ----

-- The units of targets of numbers; raises where there are none.
local function units_for(what, self)
  check_fitted(what, self)
  if self.units then return self.units end
  fail("%s: expected one that is fitted to a target of numbers, got %s", what,
    self.classes and "classes" or "none")
end

--- Returns values or a prediction in the units of the target. What was standardised is exact: means
-- times the standard deviation plus the mean, deviations times the standard deviation. If a
-- logarithm was learnt, a prediction needs its draws and becomes the mean and deviations of the
-- mixture of their log-normal distributions.
--     local rows = bnn.data.table{
--       {name = "age", values = {30, 40, 50}}, {name = "price", values = {10, 20, 60}},
--     }
--     local fitted = bnn.data.preprocess{label = "price"}:fit(rows)
--     print(fitted:invert(fitted:apply(rows).y))        -- tensor [3, 1]: 10 20 60
-- @param x tensor [..., k] of values, such as y, means, samples or quantiles; or what bnn.predict
--   returned: its mean, std, noise_std, total_std and draws change. (previous= of bnn.predict takes
--   the original, not this copy)
-- @return tensor of the shape of x, or prediction
-- Raises for predictions of classes, and without draws where a logarithm was learnt.
function Preprocess:invert(x)
  local what = "preprocess:invert"
  return target_units.invert(what, units_for(what, self), x)
end

--- Returns the central interval of a prediction in the units of the target: mean - z total_std and
-- mean + z total_std, taken back.
--     local rows = bnn.data.table{
--       {name = "age", values = {30, 40, 50}}, {name = "price", values = {10, 20, 60}},
--     }
--     local fitted = bnn.data.preprocess{label = "price"}:fit(rows)
--     local p = {mean = bnn.zeros(1, 1), total_std = bnn.ones(1, 1)}     -- as bnn.predict gives it
--     print(fitted:interval(p, {level = 0.9}).hi)
-- @param prediction what bnn.predict returned, with total_std
-- @param opts table: level=0.9, the probability of the interval of a normal distribution; or
--   deviations=, z itself, such as the threshold of bnn.conformal
-- @return {lo=, hi=}: tensors [n, k]
-- Raises if both options are given, or level is not below 1.
function Preprocess:interval(prediction, opts)
  local what = "preprocess:interval"
  opts = options.check(what, opts, {
    level = {type = "number", above = 0}, deviations = {type = "number", min = 0},
  })
  if opts.level and opts.deviations then
    fail("%s: expected level= or deviations=, got both", what)
  elseif opts.level and opts.level >= 1 then
    fail("%s: level: expected a number between 0 and 1, got %s", what, kinds.show(opts.level))
  end
  local z = opts.deviations or target_units.deviations(opts.level or 0.9)
  return target_units.interval(what, units_for(what, self), prediction, z)
end

--- Computes the metrics of a prediction in the units of the target: those of bnn.metrics.summary.
--     local rows = bnn.data.table{
--       {name = "age", values = {30, 40, 50}}, {name = "price", values = {10, 20, 60}},
--     }
--     local fitted = bnn.data.preprocess{label = "price"}:fit(rows)
--     local part = fitted:apply(rows)
--     print(fitted:summary({mean = part.y}, part.y).rmse)                -- 0
-- If a logarithm was learnt, the log predictive density has the Jacobian of the logarithm, in nats,
-- coverage is that of the interval taken back, and there is no crps.
-- @param prediction what bnn.predict returned, as it is
-- @param y tensor [n, k] or [n]: the targets of the part, as they are
-- @param opts table: weight= [n], and bootstrap= as bnn.metrics.summary takes it, unless a
--   logarithm was learnt
-- @return table: each metric by its name
-- Raises for what bnn.predict did not return.
function Preprocess:summary(prediction, y, opts)
  local what = "preprocess:summary"
  check_fitted(what, self)
  if self.classes then return metrics.summary(prediction, y, opts) end
  return target_units.summary(what, units_for(what, self), prediction, y, opts)
end

-- ---- data ----

--- Describes a fitted value as plain data for a checkpoint.
-- @param what string: the function, for messages
function M.describe(what, value)
  if not kinds.is_object(value, "preprocess") or not value.data then
    fail.expected(what, "a fitted preprocess", value)
  end
  return preprocess_data.describe(value.data)
end

--- Makes the fitted value that M.describe described.
-- @return preprocess; or nil, what is wrong with the data
function M.of_data(given)
  local data, fault = preprocess_data.read(given)
  return data and of(data), fault
end

-- ---- text ----

local function target_text(target)
  if target.classes then return "classes: " .. model_classes.words(target.classes) end
end

-- A row for each column: name, kind, what becomes of it.
local function rows_of(data)
  local rows = {}
  for _, column in ipairs(data.columns) do
    rows[#rows + 1] = {strings.shown(column.name), column.kind, fitted_columns.text(column)}
  end
  for _, column in ipairs(data.target and (data.target.columns or {data.target}) or {}) do
    local text = target_text(data.target)
      or fitted_columns.text{kind = "number", steps = column.steps}
    rows[#rows + 1] = {strings.shown(column.name), "target", text}
  end
  if data.weight then rows[#rows + 1] = {strings.shown(data.weight), "weight", "as it is"} end
  return rows
end

function Preprocess:__tostring()
  if not self.data then return "preprocess: not fitted" end
  local data = self.data
  local line = ("preprocess: x [n, %d], fitted to %d rows"):format(#self.names, data.size)
  return line .. "\n" .. table_text.render(rows_of(data), {
    "column", "kind", {"becomes", align = "left"},
  })
end

expect_model.check_methods(Preprocess, "preprocess", function(self)
  return kinds.is_object(self, "preprocess")
end)

return M
