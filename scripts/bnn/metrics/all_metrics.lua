--- All metrics that apply to a prediction, in one table.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local calibration = require "bnn.metrics.metrics_calibration"
local classification = require "bnn.metrics.metrics_classification"
local describe = require "bnn.base.describe"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local mixture = require "bnn.metrics.metrics_mixture"
local named_tensors = require "bnn.params.named_tensors"
local normal = require "bnn.base.normal"
local pytree = require "bnn.params.pytree"
local regression = require "bnn.metrics.metrics_regression"
local selective = require "bnn.metrics.metrics_selective"

local M = {}

local LEVEL = 0.9

-- nil where there is none: if all are one class.
local function kappa(p, y, opts)
  local ok, value, edges = fail.try(classification.cohens_kappa, p, y, opts)
  if ok then return value, edges end
end

-- nil of weights that are not numbers of answers, as their sum is 1 or less.
local function aurc(p, y, opts)
  if opts.weight == nil then return selective.aurc(p, y, opts) end
  local ok, value, edges = fail.try(selective.aurc, p, y, opts)
  if ok then return value, edges end
end

-- name, f(prediction, y, opts); in the order in which they are shown.
local CLASSES = {
  {"accuracy", classification.accuracy}, {"nll", classification.nll},
  {"brier", classification.brier}, {"ece", calibration.ece},
  {"balanced_accuracy", classification.balanced_accuracy}, {"f1", classification.f1},
  {"cohens_kappa", kappa}, {"aurc", aurc},
}

-- nil where there is none: of targets that do not differ; or with bootstrap.
local function r2(p, y, opts)
  local ok, value = fail.try(regression.r2, p, y, {weight = opts.weight})
  return ok and not opts.bootstrap and value or nil
end

local NUMBERS = {{"rmse", regression.rmse}, {"mae", regression.mae}, {"r2", r2}}

-- Of those that say how sure they are.
local DISTRIBUTIONS = {
  {"coverage_90", function(p, y, opts)
    return regression.coverage(p.mean, p.total_std, y, LEVEL, opts)
  end},
  {"interval_score_90", function(p, y, opts)
    local reach = normal.quantile((1 + LEVEL) / 2)
    return regression.interval_score(p.mean - p.total_std * reach, p.mean + p.total_std * reach, y,
      LEVEL, opts)
  end},
  {"log_predictive_density", function(p, y, opts)
    if p.draws then return mixture.log_predictive_density(p, y, opts) end
  end},
  {"crps", function(p, y, opts) if p.draws then return mixture.crps(p, y, opts) end end},
}

local function add(result, rows, p, y, opts)
  for _, row in ipairs(rows) do
    local value, edges = row[2](p, y, opts)
    result[row[1]] = value
    if edges then result.intervals[row[1]] = edges end
  end
end

-- The summary of each target by its name.
local function by_target(what, prediction, y, opts)
  local result = {}
  for _, name in ipairs(named_tensors.names(y)) do
    local own = type(prediction) == "table" and prediction[name]
    if type(own) ~= "table" then
      fail("%s: prediction: expected one of target '%s', got %s", what, name,
        kinds.shown(own or prediction))
    end
    result[name] = M.summary(own, y[name], opts)
  end
  return describe.as("summary", result)
end

--- Computes all metrics that apply to a prediction: of classes accuracy, nll, brier, ece,
-- balanced_accuracy, f1 (macro), cohens_kappa and aurc; of numbers rmse, mae, r2, and if they have
-- a noise, coverage_90 and interval_score_90 (of the central 90% of N(mean, total_std^2)) and, with
-- draws, log_predictive_density and crps of their mixture.
--     local s = bnn.metrics.summary(bnn.predict(model, x, {key = key}), y)
--     print(s.accuracy, s.nll, s.ece)
-- @param prediction what bnn.predict returned
-- @param y tensor or list: labels [n], or targets [n, w]; of targets by name a table of them
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return table: each metric by its name, of targets by name a table of such tables; with bootstrap
--   `intervals` too, {lo, hi} by name. There is no r2 with bootstrap, and of targets that do not
--   differ; no cohens_kappa of one class alone, and no aurc of weights that add up to 1 or less
-- Raises for what bnn.predict did not return.
function M.summary(prediction, y, opts)
  local what = "bnn.metrics.summary"
  opts = bootstrap.options(what, opts)
  if named_tensors.is_named(y) then return by_target(what, prediction, y, opts) end
  if type(prediction) ~= "table" or pytree.leaf_kind(prediction.mean) ~= "tensor" then
    if kinds.is_object(prediction, "prediction") then
      fail("%s: y: expected targets by name, as the prediction has them, got %s", what,
        kinds.shown(y))
    end
    fail.expected(what .. ": prediction", "what bnn.predict returned", prediction)
  end
  local result = describe.as("summary", {intervals = opts.bootstrap and {} or nil})
  if prediction.class then
    add(result, CLASSES, prediction, y, opts)
    return result
  end
  add(result, NUMBERS, prediction, y, opts)
  if prediction.total_std then add(result, DISTRIBUTIONS, prediction, y, opts) end
  return result
end

return M
