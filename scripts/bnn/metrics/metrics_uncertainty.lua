--- Scores of uncertainty from probabilities or logits; handed out by bnn.metrics.
local core = require "bnn.core"
local inputs = require "bnn.metrics.metric_inputs"
local options = require "bnn.base.options"

local M = {}

--- The entropy of each row in nats, 0 log 0 = 0: of mean probabilities, the total uncertainty.
-- @param prediction probabilities [n, C], or what bnn.predict gives
-- @return tensor [n], 0 to log C
function M.entropy(prediction)
  local p = inputs.probabilities("bnn.metrics.entropy", prediction):real()
  return 0 - core.ops.xlogy(p, p):sum(-1)
end

--- The energy of each row, -T logsumexp(logits / T) (Liu et al. 2020): higher = more
-- out-of-distribution. Of logits, which have a scale that probabilities have lost; over several
-- networks, of the mean logits.
-- @param logits tensor or list [n, C]
-- @param opts table: temperature=1
-- @return tensor [n]
function M.energy(logits, opts)
  opts = options.check("bnn.metrics.energy", opts,
    {temperature = {type = "number", above = 0, default = 1}})
  local z, t = inputs.scores("bnn.metrics.energy", logits):real(), opts.temperature
  return -((z / t):logsumexp(-1) * t)
end

return M
