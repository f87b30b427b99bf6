--- The loss of each example: what an objective records, and averages over a batch.
--
-- It is the loss function's own, or -log p(y | x, w) of a network and a likelihood; times the
-- example's weight, if the data have weights. Beside it there are figures by name, which evaluate
-- gives.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"
local trace_model = require "bnn.autodiff.trace_model"

local M = {}

local function is_tensor(value) return kinds.is_object(value, "tensor") end

-- A loss or log-likelihood must give one number an example: a sum or a mean over the batch would be
-- another objective.
local function check_per_example(what, x, n)
  local shape = is_tensor(x) and x:shape()
  if shape and #shape == 1 and shape[1] == n then return x end
  fail("%s: expected one number an example, [%d], got %s", what, n,
    shape and shapes.text(shape) or kinds.shown(x))
end

-- Whether `evaluate` itself has a figure of that name.
local function is_taken(objective, name)
  return name == "loss" or name == "penalty"
    or name == "kl_divergence" and objective.prior ~= nil
end

local function check_figure(objective, name, figure, n)
  if type(name) ~= "string" then
    fail("loss: figures: expected names, got %s", kinds.show(name))
  elseif is_taken(objective, name) then
    fail("loss: figure '%s': expected another name, this is one of evaluate's own", name)
  end
  local what = strings.message("loss: figure '%s'", name)
  if type(figure) == "number" then return end
  if not is_tensor(figure) then
    fail.expected(what, ("a number or a tensor [] or [%d]"):format(n), figure)
  end
  if figure:dim() > 0 then check_per_example(what, figure, n) end
end

-- The second value of a loss function: a table of numbers and tensors [] or [n], by name.
local function check_figures(objective, figures, n)
  if figures == nil then return {} end
  if type(figures) ~= "table" or getmetatable(figures) then
    fail.expected("loss: the second value", "a table name -> figure", figures)
  end
  for name, figure in pairs(figures) do check_figure(objective, name, figure, n) end
  return figures
end

-- Each number times the weight of its example.
local function weighed(values, weight) return weight and values * weight or values end

--- The loss of each example, and a table of further figures.
-- @param params Params being recorded
-- @param batch {x=, y=, weight=}, tensors or named ones; a loss function sees no weight, which
--   multiplies what it returns
-- @param key key: of the noise of the network
-- @param train boolean
-- @return tensor [n], table name -> number or tensor [] or [n]
function M.of(objective, params, batch, key, train)
  local n = named_tensors.rows(batch.x)
  if objective.loss then
    local loss, figures = objective.loss(params, {x = batch.x, y = batch.y}, key, train)
    loss = weighed(check_per_example("loss", loss, n), batch.weight)
    return loss, check_figures(objective, figures, n)
  end
  local likelihood = objective.likelihood
  local output = trace_model.output(objective.net, params, batch.x, {key = key, train = train})
  local log_prob, parts = likelihood.log_prob(output, batch.y)
  local what = ("likelihood %s: log_prob"):format(likelihood.name or "of your own")
  log_prob = weighed(check_per_example(what, log_prob, n), batch.weight)
  local figures = {log_likelihood = log_prob}
  for name, part in pairs(likelihood.targets and parts or {}) do
    figures["log_likelihood_" .. name] = weighed(check_per_example(what, part, n), batch.weight)
  end
  return -log_prob, figures
end

return M
