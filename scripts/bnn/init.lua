--- bnn: Bayesian deep learning in Lua. help() shows where to start, help "train" a function.
local core = require "bnn.core"
local autodiff = require "bnn.autodiff.autodiff"
local experiment = require "bnn.run.experiment"
local renamed = require "bnn.base.renamed"

local M = {
  ops = core.ops,
  nn = require "bnn.nn.nn",
  params = require "bnn.params.params",
  posterior = require "bnn.posterior.posterior",
  samples = require "bnn.params.param_samples",
  likelihood = require "bnn.model.likelihood",
  prior = require "bnn.model.prior",
  optim = require "bnn.inference.optim",
  schedule = require "bnn.inference.schedule",
  metrics = require "bnn.metrics.metrics",
  calibration = require "bnn.ood.calibration",
  conformal = require "bnn.metrics.conformal",
  ood = require "bnn.ood.ood",
  data = require "bnn.data.data",
  plot = require "bnn.plot.plot",
  show = require "bnn.show.show".show,
  pruner = require "bnn.search.pruners.pruner",
  importance = require "bnn.search.analysis.importance".importance,
  shift = require "bnn.ood.shift",
  log = require "bnn.log.log",
  space = require "bnn.search.space",
  search = require "bnn.search.search",
  number = require "bnn.base.number",
  safetensors = require "bnn.base.safetensors",
  checkpoint = require "bnn.checkpoint.checkpoint",
  transform = require "bnn.nn.nn".transform,
  grad = autodiff.grad,
  value_and_grad = autodiff.value_and_grad,
  compile = require "bnn.autodiff.compile".compile,
  vmap = require "bnn.autodiff.vmap".vmap,
  sampler = require "bnn.inference.optim".samplers,
  collect = require "bnn.inference.collect",
  prune = require "bnn.posterior.prune".prune,
  ensemble = require "bnn.inference.ensemble".ensemble,
  update_statistics = require "bnn.inference.update_statistics".update_statistics,
  gradient_variance = require "bnn.inference.gradient_variance".gradient_variance,
  elbo = require "bnn.inference.objective".elbo,
  objective = require "bnn.inference.objective".objective,
  train = require "bnn.run.train".train,
  predict = require "bnn.predict.predict".predict,
  log_likelihood = require "bnn.predict.predict".log_likelihood,
  early_stopping = require "bnn.run.stop_flags",
  run = require "bnn.records.records",
  sweep = require "bnn.sweep.sweep".sweep,
  main = experiment.main,
  load = experiment.load,
  load_experiment = experiment.load_experiment,
  assert_or_exit = experiment.assert_or_exit,
  table_text = require "bnn.base.table_text",
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
    local meta = getmetatable(M[name]) or {} -- old names of its functions, see bnn.base.renamed
    meta.__call = core.op_of_module(name)
    setmetatable(M[name], meta)
  end
end

-- Functions of tensors that are written over ops, and methods of tensors too.
local composed = {}
for _, name in ipairs{"ordering", "moving"} do
  for field, f in pairs(require("bnn.ops." .. name)) do M[field], composed[field] = f, f end
end
core.add_methods(composed)
M.einsum = require "bnn.ops.einsum".einsum

M.run.report = require "bnn.report.run_report".report

renamed.functions(M, "bnn", {demand = "assert_or_exit"})

--- Prints the documentation of a topic; without one, where to start.
--     bnn.help "start"               -- a guide
--     bnn.help "bnn.train"           -- a function; also "x:sum", "bnn.optim", "state:posterior"
--     bnn.help "some words"          -- whatever has these words
--     bnn.help(bnn.train)            -- a value: a function, a module, an object
-- @param topic any: string, function, table or object
function M.help(topic) require "bnn.help.help".show(M, topic) end

--- Prints the names and guides whose texts have all of some words, a line each, the best first.
--     bnn.apropos "learning rate"    -- bnn.schedule, bnn.optim.adam, ...
-- @param words string: small or capital letters alike; each may be the start of a word
-- Raises if it is not a string.
function M.apropos(words)
  require "bnn.base.expect".string("bnn.apropos: words", words)
  require "bnn.help.help".show_search(M, words)
end

return M
