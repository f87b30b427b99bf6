--- Calibration: fits on a validation set, saved with a checkpoint, that make probabilities mean
-- what they say: a temperature (Guo et al. 2017), which changes no answer, and a rule by which
-- answers abstain (bnn.ood).
--
--     local fit = bnn.calibration.fit{prediction = bnn.predict(model, validation.x, o),
--                                     labels = validation.y}
--     local p = bnn.calibration.apply(fit, bnn.predict(model, x, o))
--     print(p.class, p.probability, p.abstains)
--
-- A fit is plain data. `keep` fits and saves the fit in a checkpoint;
-- bnn.checkpoint.open(path).extras.calibration is that fit. The validation set must not be one that
-- the network was trained on, nor the one that metrics are reported on.
local checkpoint = require "bnn.checkpoint.checkpoint"
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local core = require "bnn.core"
local describe = require "bnn.base.describe"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local metrics_calibration = require "bnn.metrics.metrics_calibration"
local metrics_uncertainty = require "bnn.metrics.metrics_uncertainty"
local options = require "bnn.base.options"
local posteriors = require "bnn.posterior.posterior_class"
local predicting = require "bnn.predict.predict"
local rules = require "bnn.predict.abstention_rule"
local scores = require "bnn.predict.prediction_scores"

local M = {}

local LEAST, MOST = 0.01, 100 -- the range in which a temperature is searched
local TINY = 2.0 ^ -126 -- the smallest normal float: log p is finite from here

-- Logits [n, C] f64 from opts.logits, or the logs of opts.probabilities.
local function logits_of(what, opts)
  if (opts.logits == nil) == (opts.probabilities == nil) then
    local got = opts.logits and "both" or "neither"
    fail("%s: expected logits= or probabilities=, got %s", what, got)
  end
  if opts.logits == nil then
    local p = inputs.probabilities(what, opts.probabilities):real()
    return core.ops.maximum(p, TINY):log():to "f64"
  end
  local z = inputs.scores(what, opts.logits)
  for i, v in ipairs(z:reshape(z:numel()):totable()) do
    if v - v ~= 0 then
      fail("%s: logit %d of example %d: expected a finite number, got %s", what,
        (i - 1) % z:size(2), (i - 1) // z:size(2) + 1, v)
    end
  end
  return z
end

--- Fits the temperature T that minimises the negative log-likelihood of softmax(logits / T) on a
-- validation set, which must not be the one that the network was trained on. T is above 1 if the
-- network is over-confident. Probabilities p (a mean over networks) stand for the logits log p,
-- with 2^-126 for smaller ones. T is within [0.01, 100]; it is an end of that range if the
-- likelihood has no inner optimum, for example if every answer is right.
--     local t, fit = bnn.calibration.temperature{probabilities = p, labels = y}
--     print(t, fit.nll_before, fit.nll)                 -- fit.nll <= fit.nll_before
-- @param opts table: labels= [n] in 0..C-1; logits= [n, C], or probabilities= [n, C] or what
--   bnn.predict returns
-- @return number T, and table {nll_before=, nll=}, in nats: at T = 1 and at T
function M.temperature(opts)
  local what = "bnn.calibration.temperature"
  opts = options.check(what, opts,
    {logits = "any", probabilities = "any", labels = "any"})
  local z = logits_of(what, opts)
  local labels = inputs.labels(what, opts.labels, z:size(1))
  local t, before, after = fail.within(what, core.temperature, z, labels)
  return t, {nll_before = before, nll = after}
end

local function scaled(what, opts)
  return (logits_of(what, opts):real() / opts.temperature):softmax(-1)
end

--- Computes probabilities at a temperature: softmax(logits / T); for probabilities, p^(1/T)
-- normalised.
--     bnn.calibration.scale{probabilities = {{0.8, 0.2}}, temperature = 2}     -- {{0.667, 0.333}}
-- @param opts table: temperature= above 0; logits= [n, C], or probabilities= [n, C] or what
--   bnn.predict returns
-- @return tensor [n, C]
function M.scale(opts)
  local what = "bnn.calibration.scale"
  opts = options.check(what, opts, {
    logits = "any", probabilities = "any",
    temperature = {type = "number", above = 0, required = true},
  })
  return scaled(what, opts)
end

-- ---- both, for what bnn.predict returns ----

local function check_prediction(what, p)
  if type(p) ~= "table" or not kinds.is_object(p.mean, "tensor") or p.class == nil then
    fail("%s: prediction: expected what bnn.predict returns for classes, got %s", what,
      kinds.is_plain(p) and "a table without class and mean" or kinds.shown(p))
  elseif p.temperature then
    fail("%s: prediction: it is calibrated already, at temperature %g", what, p.temperature)
  end
end

-- The temperature of probabilities; 1 if it is an end of the range, as when every answer is right:
-- the likelihood says which way then, and not how far.
local function inner_temperature(p, labels)
  local t, fit = M.temperature{probabilities = p, labels = labels}
  if t <= LEAST or t >= MOST then return 1, fit.nll_before, fit.nll_before end
  return t, fit.nll_before, fit.nll
end

--- Fits a temperature and a rule of abstention on a validation set.
--     local fit = bnn.calibration.fit{prediction = p, labels = y, percentile = 0.95}
--     print(fit.temperature, fit.rule.threshold, fit.ece_before, fit.ece)
-- @param opts table: prediction= what bnn.predict returns for it; labels= [n] in 0..C-1;
--   score="class_std", percentile=0.99 of the rule, as for bnn.ood.fit_threshold
-- @return table of plain data: temperature (1 if the likelihood has no inner optimum, for example
--   if every answer is right); nll_before and nll, ece_before and ece, without and with it;
--   rule={score=, percentile=, threshold=, n=}; n, the number of examples
function M.fit(opts)
  local what = "bnn.calibration.fit"
  opts = options.check(what, opts, {
    prediction = "any", labels = "any", score = {type = "string", default = "class_std"},
    percentile = {type = "number", min = 0, max = 1, default = 0.99},
  })
  check_prediction(what, opts.prediction)
  local p = inputs.probabilities(what, opts.prediction)
  local labels = inputs.labels(what, opts.labels, p:size(1))
  inputs.check_classes(what, labels, p:size(2))
  local score = scores.check(what, scores.of(what, opts.prediction, opts.score))
  local t, before, after = inner_temperature(p, labels)
  return {
    temperature = t, nll_before = before, nll = after,
    ece_before = metrics_calibration.ece(p, labels),
    ece = metrics_calibration.ece(M.scale{probabilities = p, temperature = t}, labels),
    rule = rules.fit(what, opts.score, score, opts.percentile), n = p:size(1),
  }
end

local POSITIVE = {type = "number", above = 0}
local NAN = 0 / 0

--- Applies a fit to a prediction: mean, probability and entropy (in nats) at the temperature, and
-- the answers that abstain. The rule sees the prediction as bnn.predict returned it, as it did when
-- it was fitted. How networks differ (std, class_std, ...) does not change, and neither does any
-- answer. A row that is not a number, of class -1, abstains and does not change.
--     local fit = bnn.calibration.fit{prediction = p, labels = y}
--     local q = bnn.calibration.apply(fit, bnn.predict(model, x, o))
--     print(q.probability, q.abstains)                  -- [32] each
-- @param fit table as bnn.calibration.fit returns it, {temperature=, rule=}
-- @param prediction what bnn.predict returns for classes
-- @return table: a copy of the prediction with these, abstains [n] of 1 and 0, score f64 [n], that
--   of the rule, and temperature
function M.apply(fit, prediction)
  local what = "bnn.calibration.apply"
  local rule = type(fit) == "table" and fit.rule
  if type(rule) ~= "table" or not options.accept(fit.temperature, POSITIVE) then
    fail.expected(what .. ": fit", "{temperature=, rule=}, as bnn.calibration.fit returns", fit)
  end
  check_prediction(what, prediction)
  local result = {}
  for name, value in pairs(prediction) do result[name] = value end
  result.temperature, result.abstains = fit.temperature, rules.abstains(what, prediction, rule)
  result.score = scores.of(what, prediction, rule.score)
  -- rows that are not numbers have no class: they stay as they are
  local n, where, class = prediction.mean:size(1), core.ops.where, prediction.class:real()
  local is_number = class:ge(0)
  local rows = is_number:view(n, 1)
  local p = where(rows, prediction.mean, 1 / prediction.mean:size(2))
  local mean = scaled(what, {probabilities = p, temperature = fit.temperature})
  local at = (class:maximum(0) + 1):to("i32"):view(n, 1)
  result.mean = where(rows, mean, NAN)
  result.probability = result.mean:gather(at, -1):view(n)
  result.entropy = where(is_number, metrics_uncertainty.entropy(mean), NAN)
  return describe.as("prediction", result)
end

-- ---- with a checkpoint ----

-- Fits the model of one file and saves the fit in it; or nil, message.
-- Whether its networks differ; of a point the entropy alone says something.
local function has_spread(model)
  return posteriors.of_model("bnn.calibration", model):support() ~= 1
end

local function keep_in(path, opts)
  local model, fault = checkpoint.open(path, {net = opts.net, likelihood = opts.likelihood})
  if not model then return nil, fault end
  if not (model.likelihood and model.likelihood.classes) then
    return nil, path .. ": cannot calibrate: its model predicts no classes"
  end
  local sampling = {num_samples = opts.num_samples, key = opts.key}
  local fit = M.fit{
    prediction = predicting.predict(model, opts.validation, sampling), labels = opts.validation.y,
    score = opts.score or not has_spread(model) and "entropy" or nil, percentile = opts.percentile,
  }
  local ok, message = checkpoint.update_extras(path, {extras = {calibration = fit}})
  if not ok then return nil, message end
  return fit
end

--- Fits a checkpoint on a validation set and saves the fit in it, as its extras.calibration.
--     bnn.calibration.keep("night", {validation = part, key = bnn.key(1)})
--     local model = bnn.checkpoint.open "night"
--     local p = bnn.calibration.apply(model.extras.calibration, bnn.predict(model, x, o))
-- @param path string: a file; or the folder of a training, whose best and newest checkpoints are
--   each fitted by themselves
-- @param opts table: validation= part with x and y; key=, num_samples= as for bnn.predict; score=,
--   percentile= as for calibration.fit, but score="entropy" without a posterior, as a network alone
--   has no std; net=, likelihood= as for bnn.checkpoint.open
-- @return list of the fits, as bnn.calibration.fit returns them, none if the checkpoints are only
--   to resume a run of a sweep; or nil, message
-- Raises if the validation set has no x or no y.
function M.keep(path, opts)
  local what = "bnn.calibration.keep"
  opts = options.check(what, opts, {
    validation = {type = "table", required = true}, key = {type = "key", required = true},
    num_samples = {type = "integer", min = 1}, score = "string", net = "any", likelihood = "any",
    percentile = {type = "number", min = 0, max = 1},
    renamed = {samples = "num_samples"},
  })
  expect.string(what .. ": path", path)
  if not (opts.validation.x and opts.validation.y) then
    fail("%s: validation: expected a part of a data set with x and y, got one without %s", what,
      opts.validation.x and "y" or "x")
  end
  if checkpoint_folder.is_temporary(path) then return {} end
  local paths, lack = checkpoint_folder.paths(path)
  if not paths then return nil, lack end
  local fits = {}
  for i, file in ipairs(paths) do
    local fit, fault = keep_in(file, opts)
    if not fit then return nil, fault end
    fits[i] = fit
  end
  return fits
end

return M
