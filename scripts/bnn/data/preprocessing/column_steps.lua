--- The steps of a column of numbers: what each learns from the training rows, and what it does.
--
-- A row of M.rows is {options=, saved=, fit=, apply=, text=}: options is the spec of what users
-- give; fit(list, opts, at) -> what is learnt, of the spec `saved`; apply(list, step, at) changes
-- the list in place. NaN is a missing value, which every step but impute leaves as it is. `at`
-- begins messages: "preprocess:fit: column 'income'".
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local notice = require "bnn.base.notice"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local regression = require "bnn.metrics.metrics_regression"

local M = {}

-- The values that are not missing. Raises if there are none.
local function present(list, at)
  local values = {}
  for _, v in ipairs(list) do
    if v == v then values[#values + 1] = v end
  end
  if values[1] then return values end
  fail("%s: expected a value, all training rows lack one (columns = {NAME = \"ignore\"} leaves a "
    .. "column out)", at)
end

local function quantile(values, q) return regression.quantile(core.tensor(values, "f64"), q) end

-- Replaces each value that is there by f of it.
local function map(list, f)
  for i, v in ipairs(list) do
    if v == v then list[i] = f(v, i) end
  end
end

-- ---- standardise ----

local function mean_and_std(values)
  local n, mean, squares = #values, 0, 0
  for _, v in ipairs(values) do mean = mean + v / n end
  local rest = 0
  for _, v in ipairs(values) do rest = rest + (v - mean) / n end
  mean = mean + rest
  for _, v in ipairs(values) do squares = squares + (v - mean) ^ 2 / n end
  return mean, math.sqrt(squares)
end

-- One value in all rows, but for the rounding of their mean.
local function is_constant(mean, std) return std <= 1e-12 * math.abs(mean) end

local function fit_standardise(list, _, at)
  local mean, std = mean_and_std(present(list, at))
  if not is_constant(mean, std) then return {mean = mean, std = std} end
  notice.say("%s: all training rows hold %s: it loses its mean only", at,
    number.format("%.6g", mean))
  return {mean = mean, std = 1}
end

-- ---- logarithms ----

-- A step that takes the logarithm of 1 + shift. `above` is the bound of its domain.
local function logarithm(name, above, f)
  local function apply(list, _, at)
    map(list, function(v, i)
      if v > above then return f(v) end
      fail("%s: %s: expected numbers above %d, row %d is %s", at, name, above, i,
        number.format("%.6g", v))
    end)
  end
  return {options = {}, saved = {}, fit = function() return {} end, apply = apply,
          text = function() return name end}
end

-- log(1 + v) without the rounding of 1 + v (Kahan).
local function log1p(v)
  local u = 1 + v
  return u == 1 and v or math.log(u) * v / (u - 1)
end

-- ---- clip ----

local function fit_clip(list, opts, at)
  if opts.quantiles and (opts.min or opts.max) then
    fail("%s: clip: expected quantiles=, or min= and max=, got both", at)
  end
  local low, high = opts.min, opts.max
  if not (low or high) then
    local q = opts.quantiles or {0.01, 0.99}
    if #q ~= 2 or q[1] >= q[2] then
      fail("%s: clip: quantiles: expected {low, high} within 0 and 1, got %s", at, kinds.show(q))
    end
    local values = present(list, at)
    low, high = quantile(values, q[1]), quantile(values, q[2])
  end
  if low and high and low > high then
    fail("%s: clip: expected min of at most max, got %s and %s", at, kinds.show(low),
      kinds.show(high))
  end
  return {min = low, max = high}
end

local function clip(list, step)
  local low, high = step.min or -math.huge, step.max or math.huge
  map(list, function(v) return math.max(low, math.min(high, v)) end)
end

local function clip_text(step)
  return ("clip to [%s, %s]"):format(number.format("%.5g", step.min or -math.huge),
    number.format("%.5g", step.max or math.huge))
end

-- ---- impute ----

local function count_missing(list)
  local count = 0
  for _, v in ipairs(list) do
    if v ~= v then count = count + 1 end
  end
  return count
end

local function fit_impute(list, opts, at)
  local has_missing = count_missing(list) > 0
  return {
    value = opts.value or quantile(present(list, at), 0.5),
    indicator = has_missing and opts.indicator,
    expected = has_missing,
  }
end

local function impute(list, step, at)
  local count = count_missing(list)
  if count > 0 and not step.expected then
    notice.say("%s: %d of %d values are missing, none was in training: they become %s", at, count,
      #list, number.format("%.6g", step.value))
  end
  local flags = step.indicator and {} or nil
  for i, v in ipairs(list) do
    local is_missing = v ~= v
    if is_missing then list[i] = step.value end
    if flags then flags[i] = is_missing and 1 or 0 end
  end
  return flags
end

local function impute_text(step)
  return number.format("impute %.5g", step.value) .. (step.indicator and " and flag" or "")
end

-- ---- the table ----

local bound = {type = "number", required = true}

M.rows = {
  standardise = {
    options = {}, saved = {mean = bound, std = {type = "number", above = 0, required = true}},
    fit = fit_standardise,
    apply = function(list, step) map(list, function(v) return (v - step.mean) / step.std end) end,
    text = function(step)
      return number.format("standardise (mean %.5g, std %.5g)", step.mean, step.std)
    end,
  },
  log = logarithm("log", 0, math.log),
  log1p = logarithm("log1p", -1, log1p),
  clip = {
    options = {min = "number", max = "number",
               quantiles = {type = "number", min = 0, max = 1, list = true}},
    saved = {min = "number", max = "number"}, fit = fit_clip, apply = clip, text = clip_text,
  },
  impute = {
    options = {value = "number", indicator = {type = "boolean", default = true}},
    saved = {value = bound, indicator = {type = "boolean", required = true},
             expected = {type = "boolean", required = true}},
    fit = fit_impute, apply = impute, text = impute_text,
  },
}

--- Lists the names of the steps in alphabetical order.
function M.names() return options.sorted_names(M.rows) end

-- Raises where a value is infinite, or missing after the last step.
local function check_finite(list, at, is_missing_fine)
  local count, first = 0, nil
  for i, v in ipairs(list) do
    if v - v ~= 0 and not (is_missing_fine and v ~= v) then
      count, first = count + 1, first or i
    end
  end
  if count == 0 then return end
  if list[first] == list[first] then
    fail("%s: expected finite numbers, row %d is infinite", at, first)
  end
  fail("%s: %d of %d values are missing, the first in row %d: the step \"impute\" fills them", at,
    count, #list, first)
end

--- Runs a list of values through steps, in place.
-- @param run function(step) -> the step as fitted
-- @return list of 0 and 1, whether a value was missing; nil without an indicator
function M.run(list, steps, at, fitted_step)
  local flags
  check_finite(list, at, true)
  for i, step in ipairs(steps) do
    step = fitted_step and fitted_step(i, step, list) or step
    flags = M.rows[step.step].apply(list, step, at) or flags
  end
  check_finite(list, at)
  return flags
end

--- Fits steps to the training values of a column, which they change in place.
-- @param steps list of {step = name, and its options}
-- @return list of fitted steps, plain data; the indicator's list, or nil
function M.fit(list, steps, at)
  local fitted = {}
  local flags = M.run(list, steps, at, function(i, given)
    local learnt = M.rows[given.step].fit(list, given, at)
    learnt.step = given.step
    fitted[i] = learnt
    return learnt
  end)
  return fitted, flags
end

return M
