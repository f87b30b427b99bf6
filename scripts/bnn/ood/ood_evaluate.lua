--- The work behind bnn.ood.evaluate: each set is predicted once, and its scores are kept, a number
-- for each example.
local conformal = require "bnn.metrics.conformal"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local figures = require "bnn.ood.ood_figures"
local inputs = require "bnn.metrics.metric_inputs"
local metrics_ood = require "bnn.metrics.metrics_ood"
local named_tensors = require "bnn.params.named_tensors"
local ood_options = require "bnn.ood.ood_options"
local progress = require "bnn.base.progress"
local reports = require "bnn.ood.ood_report"
local rules = require "bnn.predict.abstention_rule"
local scores = require "bnn.predict.prediction_scores"

local M = {}

local WHAT = "bnn.ood.evaluate"

-- ---- predicting ----

-- What is predicted of a set, checked.
local function predict(opts, set)
  local what, n = ("%s: %s"):format(WHAT, set.name), named_tensors.rows(set.x)
  local prediction = opts.predict(set.x)
  if scores.size(what, prediction) ~= n then
    fail("%s: predict: expected %d predictions, got %d", what, n, prediction.mean:size(1))
  end
  local p = inputs.probabilities(what, prediction)
  if p:size(2) < 2 then fail("%s: predict: expected at least 2 classes, got 1", what) end
  return prediction, p
end

-- Score by name: a tensor f64 [n] of a set.
local function score(opts, set, prediction)
  local values = {}
  for _, s in ipairs(opts.scores) do
    local what = ("%s: %s: %s"):format(WHAT, set.name, s.name)
    values[s.name] = scores.check(what, scores.of(what, prediction, s.score))
  end
  return values
end

-- ---- one half and the other ----

-- Two lists of positions: a keyed half of 1..n, and the rest.
local function halves(key, n)
  local fit, rest = {}, {}
  for i, at in ipairs(core.permutation(key:fold "half", n):totable()) do
    local half = i <= n // 2 and fit or rest
    half[#half + 1] = at
  end
  return fit, rest
end

-- The elements of a tensor at some positions, as a tensor of the same type.
local function pick(x, positions)
  local all, some = x:totable(), {}
  for i, at in ipairs(positions) do some[i] = all[at] end
  return core.tensor(some, x:dtype())
end

-- Fits the threshold of each score on one half; says how often it abstains on the other, and how
-- many of the answers that it keeps are right.
local function add_rules(report, opts, right, fit, rest)
  right = pick(right, rest):totable()
  for _, name in ipairs(report.scores) do
    local values = report.values[name][report.id]
    local rule = rules.fit(WHAT, name, pick(values, fit), opts.percentile)
    local abstains, kept, kept_right = rules.exceeds(pick(values, rest), rule), 0, 0
    for i, flag in ipairs(abstains) do
      if flag == 0 then kept, kept_right = kept + 1, kept_right + right[i] end
    end
    report.rules[name] = rule
    report.abstained[name] = {[report.id] = 1 - kept / #abstains}
    report.kept_accuracy[name] = kept > 0 and kept_right / kept or nil
  end
end

-- Size of the sets, and how many do not name one class.
local function set_figures(sets)
  local size, total, other = sets.size:totable(), 0, 0
  for _, n in ipairs(size) do
    total = total + n
    if n ~= 1 then other = other + 1 end
  end
  return {size = total / #size, not_single = other / #size}
end

local function add_conformal(report, opts, p, labels, fit, rest)
  local fitted = conformal.fit{
    probabilities = pick(p, fit), labels = pick(labels, fit), alpha = opts.alpha,
  }
  local sets = conformal.sets(fitted, pick(p, rest))
  local id_figures = set_figures(sets)
  id_figures.coverage = conformal.coverage(sets, pick(labels, rest))
  report.conformal = {
    alpha = fitted.alpha, threshold = fitted.threshold, n = fitted.n,
    sets = {[report.id] = id_figures},
  }
end

local function keep_values(report, set, values)
  for name, x in pairs(values) do
    report.values[name] = report.values[name] or {}
    report.values[name][set.name] = x
  end
end

local function add_id(report, opts)
  local set = opts.id
  local prediction, p = predict(opts, set)
  opts.scores = opts.scores or ood_options.scores(scores.usual(WHAT, prediction))
  for i, s in ipairs(opts.scores) do report.scores[i] = s.name end
  keep_values(report, set, score(opts, set, prediction))
  local _, right = inputs.answers(("%s: %s"):format(WHAT, set.name), prediction, set.labels)
  report.n[set.name], report.accuracy = p:size(1), core.count_flags(right) / p:size(1)
  local fit, rest = halves(opts.key, p:size(1))
  report.n_fit, report.n_report = #fit, #rest
  report.fit_rows = core.tensor(fit, "i32")
  add_rules(report, opts, right, fit, rest)
  add_conformal(report, opts, p, set.labels, fit, rest)
end

-- ---- in-distribution against out ----

-- name in the report, the metric, and which class is positive.
local metrics = {
  {"auroc", metrics_ood.auroc},
  {"average_precision_out", metrics_ood.average_precision, "out"},
  {"average_precision_in", metrics_ood.average_precision, "in"},
  {"aupr_out", metrics_ood.aupr, "out"}, {"aupr_in", metrics_ood.aupr, "in"},
  {"fpr95_out", metrics_ood.fpr95, "out"}, {"fpr95_in", metrics_ood.fpr95, "in"},
}

local function rank(opts, id, ood)
  local figures_of, intervals = {}, {}
  for _, row in ipairs(metrics) do
    local name, metric, positive = table.unpack(row)
    local value, interval = metric({id = id, ood = ood},
      {positive = positive, bootstrap = opts.bootstrap})
    figures_of[name], intervals[name] = value, interval
  end
  local n_in, n_out = id:size(1), ood:size(1)
  figures_of.base_rate = n_out / (n_in + n_out)
  figures_of.intervals = opts.bootstrap and intervals or nil
  return figures_of
end

local function share(flags)
  local sum = 0
  for _, v in ipairs(flags) do sum = sum + v end
  return sum / #flags
end

local function add_ood(report, opts, set)
  local prediction, p = predict(opts, set)
  keep_values(report, set, score(opts, set, prediction))
  report.n[set.name] = p:size(1)
  for _, name in ipairs(report.scores) do
    local values = report.values[name]
    local id, ood = values[report.id], values[set.name]
    report.ranking[name] = report.ranking[name] or {}
    report.ranking[name][set.name] = rank(opts, id, ood)
    report.abstained[name][set.name] = share(rules.exceeds(ood, report.rules[name]))
  end
  report.conformal.sets[set.name] = set_figures(conformal.sets(report.conformal, p))
end

local function predict_sets(report, opts)
  local bar <close> = progress.start("ood.evaluate",
    {of = 1 + #opts.ood, unit = "sets", parts = true, progress = opts.progress})
  add_id(report, opts)
  bar:update(1)
  for i, set in ipairs(opts.ood) do
    add_ood(report, opts, set)
    bar:update(1 + i)
  end
end

--- As bnn.ood.evaluate.
function M.evaluate(given)
  local opts = ood_options.read(given)
  local report = reports.new(opts.id.name, opts.ood)
  predict_sets(report, opts)
  if opts.log then opts.log:row(opts.step, report:rows()) end
  local wants_figures = opts.figures and opts.figures ~= ""
  report.figures = wants_figures and figures.draw(report, opts.figures, opts.title) or {}
  return report
end

return M
