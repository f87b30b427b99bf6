--- bnn: Bayesian deep learning in Lua. help() lists what there is, help "train" explains one of
-- them.
local core = require "bnn.core"
local autodiff = require "bnn.autodiff"
local experiment = require "bnn.experiment"

local M = {
  ops = core.ops,
  nn = require "bnn.nn",
  params = require "bnn.params",
  posterior = require "bnn.posterior",
  samples = require "bnn.samples",
  likelihood = require "bnn.likelihood",
  optim = require "bnn.optim",
  schedule = require "bnn.schedule",
  metrics = require "bnn.metrics",
  calibration = require "bnn.calibration",
  conformal = require "bnn.conformal",
  ood = require "bnn.ood",
  data = require "bnn.data",
  plot = require "bnn.plot",
  shift = require "bnn.shift",
  log = require "bnn.log",
  number = require "bnn.number",
  safetensors = require "bnn.safetensors",
  checkpoint = require "bnn.checkpoint",
  transform = require "bnn.nn".transform,
  grad = autodiff.grad,
  value_and_grad = autodiff.value_and_grad,
  compile = require "bnn.compile".compile,
  vmap = require "bnn.vmap".vmap,
  elbo = require "bnn.objective".elbo,
  objective = require "bnn.objective".objective,
  train = require "bnn.train".train,
  predict = require "bnn.predict".predict,
  log_likelihood = require "bnn.predict".log_likelihood,
  main = experiment.main,
  load = experiment.load,
  demand = experiment.demand,
  table_text = require "bnn.table_text",
}

for _, name in ipairs{
  "tensor", "zeros", "ones", "full", "eye", "arange", "linspace", "rand", "randn", "truncated",
  "rademacher", "bits", "permutation", "key", "threads", "versions", "isa", "memory",
} do
  M[name] = core[name]
end

-- Ops are functions of bnn too: bnn.concat({a, b}, 1), bnn.where(c, a, b). A module of the same
-- name is called as the op: bnn.log(x).
for name, op in pairs(core.ops) do
  if M[name] == nil then
    M[name] = op
  elseif type(M[name]) == "table" then
    setmetatable(M[name], {__call = core.op_of_module(name)})
  end
end

M.help = function(...) return require "bnn.help".help(...) end

return M
