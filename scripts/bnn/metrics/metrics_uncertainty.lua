--- Scores of uncertainty from probabilities or logits.
local core = require "bnn.core"
local inputs = require "bnn.metrics.metric_inputs"
local options = require "bnn.base.options"

local M = {}

--- Computes the entropy of each row in nats, with 0 log 0 = 0: the total uncertainty, if the rows
-- are mean probabilities.
--     bnn.metrics.entropy{{0.5, 0.5}, {1, 0}}           -- 0.693 0
-- @param prediction probabilities [n, C], or what bnn.predict returns
-- @return tensor [n], 0 to log C
function M.entropy(prediction)
  local p = inputs.probabilities("bnn.metrics.entropy", prediction):real()
  return 0 - core.ops.xlogy(p, p):sum(-1)
end

--- Computes the energy of each row, -T logsumexp(logits / T) (Liu et al. 2020): higher = more
-- out-of-distribution. It is of logits, as probabilities have lost their scale; for several
-- networks, of the mean logits.
--     bnn.metrics.energy{{2, 0}, {9, 0}}                -- -2.127 -9.000
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
