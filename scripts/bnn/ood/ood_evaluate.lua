--- The work behind bnn.ood.evaluate: each set is predicted once, of which its scores stay, a number
-- for each example.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local conformal = require "bnn.metrics.conformal"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local figures = require "bnn.ood.ood_figures"
local inputs = require "bnn.metrics.metric_inputs"
local logs = require "bnn.log.log"
local options = require "bnn.base.options"
local metrics_ood = require "bnn.metrics.metrics_ood"
local reports = require "bnn.ood.ood_report"
local rules = require "bnn.ood.ood_rule"
local scores = require "bnn.ood.ood_scores"
local pytree = require "bnn.params.pytree"

local M = {}

local WHAT = "ood.evaluate"

local spec = {
  predict = {type = "function", required = true}, id = {type = "table|tensor", required = true},
  ood = {type = "table", required = true}, scores = "table",
  key = {type = "key", required = true}, log = "any", step = {type = "integer", default = 0},
  percentile = {type = "number", min = 0, max = 1, default = 0.99},
  alpha = {type = "number", above = 0, default = 0.01}, figures = "string", title = "string",
}

-- ---- reading ----

local function read_set(name, given)
  local x = pytree.leaf_kind(given) ~= "tensor" and type(given) == "table" and given.x or given
  if pytree.leaf_kind(x) ~= "tensor" or x:dim() == 0 then
    fail("%s: %s: a part of a data set is wanted, {x= [n, ...]}", WHAT, name)
  end
  if x:size(1) == 0 then fail("%s: %s has no examples", WHAT, name) end
  return {name = name, x = x}
end

local function read_id(given)
  if type(given) ~= "table" then
    fail("%s: id has no labels: {x=, y=} is wanted", WHAT)
  end
  local name = given.title or given.name or "id"
  if type(name) ~= "string" then
    fail("%s: id: title is a %s, a string is wanted", WHAT, type(name))
  end
  local set = read_set(name, given)
  local n = set.x:size(1)
  if given.y == nil then fail("%s: %s has no labels: y= is wanted", WHAT, name) end
  if n < 2 then
    fail("%s: %s has 1 example: two halves are wanted, one to fit on", WHAT, name)
  end
  set.labels = inputs.labels(("%s: %s"):format(WHAT, name), given.y, n)
  return set
end

-- {{name =, x =}, ...} in its order, or {name = part} by name.
local function read_ood(given, id)
  local sets, taken = {}, {[id] = true}
  local function add(name, part)
    if type(name) ~= "string" then
      fail("%s: ood[%d] has no name: {name=, x=} is wanted", WHAT, #sets + 1)
    end
    if taken[name] then fail("%s: two sets are called %q", WHAT, name) end
    taken[name] = true
    sets[#sets + 1] = read_set(name, part)
  end
  if pytree.leaf_kind(given.x) == "tensor" and (given.y ~= nil or given.size) then
    fail("%s: ood is a part of a data set, {name = part, ...} is wanted", WHAT)
  end
  local names = options.sorted_names(given)
  if #given > 0 and #names > 0 then
    fail("%s: ood is a list, and has %q by name: one of both is wanted", WHAT, names[1])
  end
  for _, part in ipairs(given) do add(type(part) == "table" and part.name, part) end
  for _, name in ipairs(names) do add(name, given[name]) end
  return sets
end

-- A list of names, and name = function, as {{name =, score =}, ...}.
local function read_scores(given)
  local list, taken = {}, {}
  local function add(name, score)
    if taken[name] then fail("%s: score %q is asked for twice", WHAT, name) end
    taken[name] = true
    list[#list + 1] = {name = name, score = score}
  end
  for i, name in ipairs(given) do
    if type(name) ~= "string" then
      fail("%s: scores[%d] is a %s: a name is wanted, or name = function", WHAT, i,
        type(name))
    end
    add(name, name)
  end
  for _, name in ipairs(options.sorted_names(given)) do
    if type(given[name]) ~= "function" then
      fail("%s: scores: %s is a %s, a function of a prediction is wanted", WHAT, name,
        type(given[name]))
    end
    add(name, given[name])
  end
  if #list == 0 then fail("%s: scores is empty", WHAT) end
  return list
end

local function read(given)
  local opts = bootstrap.options(WHAT, given, spec)
  if opts.alpha >= 1 then
    fail("%s: alpha = %s: less than 1 is wanted", WHAT, opts.alpha)
  end
  opts.log = opts.log ~= nil and fail.within(WHAT, logs.of, opts.log) or nil
  opts.id = read_id(opts.id)
  opts.ood = read_ood(opts.ood, opts.id.name)
  opts.scores = opts.scores and read_scores(opts.scores)
  return opts
end

-- ---- predicting ----

-- What is predicted of a set, checked.
local function predict(opts, set)
  local what, n = ("%s: %s"):format(WHAT, set.name), set.x:size(1)
  local prediction = opts.predict(set.x)
  if scores.size(what, prediction) ~= n then
    fail("%s: predict gives %d predictions for %d examples", what,
      prediction.mean:size(1), n)
  end
  local p = inputs.probabilities(what, prediction)
  if p:size(2) < 2 then fail("%s: the predictions are of one class only", what) end
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

-- The threshold of each score on one half; what it refuses of the other, and how many of those that
-- it keeps are right.
local function add_rules(report, opts, right, fit, rest)
  right = pick(right, rest):totable()
  for _, name in ipairs(report.scores) do
    local values = report.values[name][report.id]
    local rule = rules.fit(WHAT, name, pick(values, fit), opts.percentile)
    local refused, kept, kept_right = rules.refused(pick(values, rest), rule), 0, 0
    for i, is_refused in ipairs(refused) do
      if is_refused == 0 then kept, kept_right = kept + 1, kept_right + right[i] end
    end
    report.rules[name] = rule
    report.refused[name] = {[report.id] = 1 - kept / #refused}
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
  local figures_id = set_figures(sets)
  figures_id.coverage = conformal.coverage(sets, pick(labels, rest))
  report.conformal = {
    alpha = fitted.alpha, threshold = fitted.threshold, n = fitted.n,
    sets = {[report.id] = figures_id},
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
  opts.scores = opts.scores or read_scores(scores.usual(WHAT, prediction))
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

-- ---- in against out ----

-- name of a figure -> the metric, and which class is positive.
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
    report.refused[name][set.name] = share(rules.refused(ood, report.rules[name]))
  end
  report.conformal.sets[set.name] = set_figures(conformal.sets(report.conformal, p))
end

--- As bnn.ood.evaluate.
function M.evaluate(given)
  local opts = read(given)
  local report = reports.new(opts.id.name, opts.ood)
  add_id(report, opts)
  for _, set in ipairs(opts.ood) do add_ood(report, opts, set) end
  if opts.log then opts.log:row(opts.step, report:rows()) end
  local wants_figures = opts.figures and opts.figures ~= ""
  report.figures = wants_figures and figures.draw(report, opts.figures, opts.title) or {}
  return report
end

return M
