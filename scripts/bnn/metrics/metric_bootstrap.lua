--- Options that metrics share: weight=, and bootstrap= for values with {lo, hi} over resamples
-- (percentile bootstrap).
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"

local M = {}

local BOOTSTRAP = {
  key = {type = "key", required = true},
  n = {type = "integer", min = 1, default = 1000},
  level = {type = "number", above = 0, default = 0.95},
}

--- An option table, to which `bootstrap` and `weight` are added unless the spec says false.
function M.options(what, given, spec)
  local all = {bootstrap = {type = "table"}, weight = "any"}
  for name, kind in pairs(spec or {}) do all[name] = kind or nil end
  local opts = options.check(what, given, all)
  if not opts.bootstrap then return opts end
  opts.bootstrap = options.check(what .. ": bootstrap", opts.bootstrap, BOOTSTRAP)
  if opts.bootstrap.level >= 1 then
    fail("%s: bootstrap: level: expected less than 1, got %s", what,
      kinds.show(opts.bootstrap.level))
  end
  return opts
end

-- The q-quantile of f64 numbers without NaN.
local function quantile(values, q)
  return core.rank_metric("quantile", values, core.zeros({values:numel()}, "u8"), q)
end

--- The weights in checked options as a tensor f64, or nil.
function M.weight(what, opts)
  return opts.weight ~= nil and inputs.tensor(what, "weight", opts.weight, "f64") or nil
end

-- The numbers of f64 values that are not NaN, or the values themselves if there are none.
local function defined(values)
  if not core.find_nan(values) then return values end
  local list = {}
  for _, v in ipairs(values:totable()) do
    if v == v then list[#list + 1] = v end
  end
  return list[1] and core.tensor(list, "f64") or values
end

--- A metric's value and, if opts.bootstrap is there, {lo, hi}: f(..., weight, key, resamples)
-- gives the value and those of the resamples. The interval is between their quantiles (percentile
-- bootstrap); resamples in which the metric is not defined are left out.
function M.evaluate(what, opts, f, ...)
  local boot, args = opts.bootstrap, table.pack(...)
  args[args.n + 1] = M.weight(what, opts)
  if not boot then return (fail.within(what, f, table.unpack(args, 1, args.n + 1))) end
  args[args.n + 2], args[args.n + 3] = boot.key, boot.n
  local value, samples = fail.within(what, f, table.unpack(args, 1, args.n + 3))
  samples = defined(samples)
  local tail = (1 - boot.level) / 2
  return value, {quantile(samples, tail), quantile(samples, 1 - tail)}
end

--- The intervals of a metric of several numbers, {lo, hi} of tensors f64 [groups]: percentiles over
-- resamples, those of every metric under this key, in which a number is not NaN.
-- @param boot table: bootstrap of checked options
-- @param sum string: "total" or "mean" of values by group; "mean_to" with those of groups before;
--   "share_to", the share of the examples in these, whatever their values
-- @param group list or tensor i32 [n], from 0
-- @param values tensor of numbers [n]
-- @param groups integer: how many
-- @param weight tensor f64 [n] or nil: the examples' own
function M.intervals(boot, sum, group, values, groups, weight)
  if type(group) == "table" then group = core.tensor(group, "i32") end
  return {core.group_intervals(sum, group, values:to "f64", groups, boot.key, boot.n, boot.level,
    weight)}
end

return M
