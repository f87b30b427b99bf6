--- Metrics with intervals: option tables with bootstrap=, and values with {lo, hi} over resamples
-- (percentile bootstrap).
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"

local M = {}

local BOOTSTRAP = {
  key = {type = "key", required = true},
  n = {type = "integer", min = 1, default = 1000},
  level = {type = "number", above = 0, default = 0.95},
}

--- An option table, to which `bootstrap` is added unless spec.bootstrap is false.
function M.options(what, given, spec)
  local all = {bootstrap = {type = "table"}}
  for name, kind in pairs(spec or {}) do all[name] = kind or nil end
  if spec and spec.bootstrap == false then all.bootstrap = nil end
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

--- A metric's value and, if opts.bootstrap is there, {lo, hi}: f(..., key, resamples) gives
-- the value and those of the resamples. The interval is between their quantiles (percentile
-- bootstrap).
function M.evaluate(what, opts, f, ...)
  local boot = opts.bootstrap
  if not boot then return (fail.within(what, f, ...)) end
  local args = table.pack(...)
  args[args.n + 1], args[args.n + 2] = boot.key, boot.n
  local value, samples = fail.within(what, f, table.unpack(args, 1, args.n + 2))
  local tail = (1 - boot.level) / 2
  return value, {quantile(samples, tail), quantile(samples, 1 - tail)}
end

--- The intervals of a metric of several numbers, {lo, hi} of tensors f64 [groups]: percentiles over
-- resamples, those of every metric under this key, in which a number is not NaN.
-- @param boot table: bootstrap of checked options
-- @param sum string: "total" or "mean" of values by group; "total_to", "mean_to" with those before
-- @param group list or tensor i32 [n], from 0
-- @param values tensor or list of numbers [n]
-- @param groups integer: how many
function M.intervals(boot, sum, group, values, groups)
  if type(group) == "table" then group = core.tensor(group, "i32") end
  values = type(values) == "table" and core.tensor(values, "f64") or values:to "f64"
  return {core.group_intervals(sum, group, values, groups, boot.key, boot.n, boot.level)}
end

return M
