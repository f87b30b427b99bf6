--- Temperature scaling (Guo et al. 2017): one number, fitted on a validation set, that makes
-- probabilities honest without changing an answer.
--
--     local p = bnn.predict(model, validation.x, o)
--     local t = bnn.calibration.temperature{probabilities = p, labels = validation.y}
--     local q = bnn.calibration.scale{probabilities = bnn.predict(model, x, o), temperature = t}
--
-- A temperature is a plain number: keep it with the checkpoint.
local core = require "bnn.core"
local inputs = require "bnn.metric_inputs"

local M = {}

local TINY = 2.0 ^ -126 -- the smallest normal float: log p is finite from here

-- Logits [n, C] f64 from opts.logits, or the logs of opts.probabilities.
local function logits_of(what, opts)
  if (opts.logits == nil) == (opts.probabilities == nil) then
    inputs.fail("%s: either logits= or probabilities= is wanted", what)
  end
  if opts.logits == nil then
    local p = inputs.probabilities(what, opts.probabilities):real()
    return core.ops.maximum(p, TINY):log():to "f64"
  end
  local z = inputs.scores(what, opts.logits)
  for i, v in ipairs(z:reshape(z:numel()):totable()) do
    if v - v ~= 0 then
      inputs.fail("%s: logit %d of example %d is %s", what, (i - 1) % z:size(2),
        (i - 1) // z:size(2) + 1, v)
    end
  end
  return z
end

--- The temperature T that makes the negative log-likelihood of softmax(logits / T) least on a
-- validation set, which must not be the one that the network was trained on. Above 1 where the
-- network is over-confident. Probabilities (a mean over networks) stand for the logits log p, those
-- below 2^-126 for it. T is within [0.01, 100]; an end where the likelihood has no inner optimum,
-- as when every answer is right.
-- @param opts table: labels= [n] in 0..C-1; logits= [n, C], or probabilities= [n, C] or what
--   bnn.predict gives
-- @return number T, and table {nll_before=, nll=}: at T = 1 and at T
function M.temperature(opts)
  local what = "calibration.temperature"
  opts = inputs.options(what, opts,
    {logits = "any", probabilities = "any", labels = "any", bootstrap = false})
  local z = logits_of(what, opts)
  local labels = inputs.labels(what, opts.labels, z:size(1))
  local t, before, after = inputs.call(what, core.temperature, z, labels)
  return t, {nll_before = before, nll = after}
end

--- Probabilities at a temperature: softmax(logits / T); for probabilities, p^(1/T) normalised.
-- @param opts table: temperature= above 0; logits= [n, C], or probabilities= [n, C] or what
--   bnn.predict gives
-- @return tensor [n, C]
function M.scale(opts)
  local what = "calibration.scale"
  opts = inputs.options(what, opts, {
    logits = "any", probabilities = "any", bootstrap = false,
    temperature = {type = "number", above = 0, required = true},
  })
  return (logits_of(what, opts):real() / opts.temperature):softmax(-1)
end

return M
