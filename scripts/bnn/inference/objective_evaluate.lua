--- An objective as numbers: its loss, penalties and figures on a data set, and whether a data set
-- fits it.
local batches = require "bnn.inference.objective_batch"
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local describe = require "bnn.base.describe"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local likelihoods = require "bnn.model.likelihood"
local losses = require "bnn.inference.objective_loss"
local named_tensors = require "bnn.params.named_tensors"
local options = require "bnn.base.options"
local penalties = require "bnn.inference.objective_penalties"
local prediction_sums = require "bnn.predict.prediction_sums"
local strings = require "bnn.base.strings"
local trace_model = require "bnn.autodiff.trace_model"

local M = {}

-- The loss and all figures of each example as the columns of one tensor [n, k].
local function columns(self, names)
  return function(params, batch, key)
    local n = named_tensors.rows(batch.x)
    local loss, figures = losses.of(self, params, batch, key, false)
    local list = {loss:reshape(n, 1)}
    for i, name in ipairs(options.sorted_names(figures)) do
      names[i] = name
      local figure = figures[name]
      local has_rows = type(figure) ~= "number" and figure:dim() == 1
      list[i + 1] = (has_rows and figure or loss * 0 + figure):reshape(n, 1)
    end
    return {{core.ops.concat(list, 2)}}
  end
end

-- The weight of the KL that figures are given with: what is asked for, else that of the last step
-- that was made, else of the first.
local function beta_of_figures(self, opts)
  if opts.beta then return opts.beta end
  local last = self.last
  if last and (opts.step == nil or opts.step == last.step) then return last.beta end
  return penalties.beta_at(self, math.max(opts.step or 1, 1))
end

-- The means of the columns of [n, k]. The loss is weighed, as in a step, and a likelihood's
-- log_likelihood; figures of one's own are plain means.
local function means_of(self, columns_of_rows, names, weight)
  local means = columns_of_rows:mean(1):totable()
  if not weight then return means end
  local weighed = (columns_of_rows * weight:view(weight:numel(), 1)):mean(1):totable()
  means[1] = weighed[1]
  for i, name in ipairs(names) do
    local is_own = not self.loss and name:find "^log_likelihood"
    if is_own then means[i + 1] = weighed[i + 1] end
  end
  return means
end

local function figures_of(self, what, data, opts)
  local source = batches.with_labels(self, what, batches.source(what, data))
  batches.check_targets(self, what, source)
  local names = self.figure_names or {}
  self.figure_names = names
  local rows = prediction_sums.once(self, "evaluate", {x = source.x, y = source.y},
    columns(self, names), {key = opts.key})
  local means = means_of(self, rows, names, source.weight)
  local figures = {loss = means[1], penalty = penalties.decay(self)}
  for i, name in ipairs(names) do figures[name] = means[i + 1] end
  if self.prior then
    local terms = penalties.terms(self, opts.key:fold "prior")
    figures.kl_divergence = penalties.kl(terms)
    figures.penalty = figures.penalty
      + penalties.weighted_kl(self, terms, beta_of_figures(self, opts))
  end
  if self.is_elbo then figures.elbo = -figures.loss - figures.penalty end
  return describe.as("evaluation", figures)
end

local OPTIONS = {
  key = {type = "key", required = true},
  step = {type = "integer", min = 0},
  beta = {type = "number", min = 0},
}

--- The figures of a data set: objective:evaluate.
function M.evaluate(self, data, opts)
  local what = "objective:evaluate"
  opts = options.check(what, opts, OPTIONS)
  expect_model.data(what .. ": data", data)
  if named_tensors.rows(data.x) == 0 then
    fail("%s: data: expected examples, got none", what)
  end
  classes.check_same(what, self, data)
  return figures_of(self, what, data, opts)
end

--- The figures of one batch: objective:value.
function M.value(self, batch, key, opts)
  opts = options.check("objective:value", opts, {step = OPTIONS.step, beta = OPTIONS.beta})
  local data = batches.check("objective:value", batch)
  return M.evaluate(self, data, {key = key, step = opts.step, beta = opts.beta})
end

-- How many classes a likelihood makes of the network's outputs for an example (that for a target,
-- if it has a name), and whether it does so at each position of a sequence.
local function output_width(self, data, likelihood, target)
  local width, has_positions
  trace_model.model(self, {x = data.x}, 1, function(params, batch, key)
    local output = trace_model.output(self.net, params, batch.x, {key = key})
    if target then output = self.likelihood.output_of(output, target) end
    if likelihood.logits then output = likelihood.logits(output) end
    width, has_positions = output:size(-1), output:dim() == 3
    return {output}
  end, {})
  return width, has_positions
end

-- What is wrong with labels of a data set, or nil.
local function label_fault(self, data, y, likelihood, target)
  if not y then return "the data have no labels" end
  if classes.are_shares(y) then return nil end -- log_prob compares their number
  local width, has_positions = output_width(self, data, likelihood, target)
  local labels, fault = classes.labels(y, has_positions)
  if not labels then return fault end
  local ignored = likelihood.ignore_index
  if ignored then labels = core.ops.where(labels:eq(ignored), 0, labels) end
  local real, positions = labels:real(), labels:dim() == 2 and labels:size(2) or 1
  if #labels == 0 or real:min():item() >= 0 and real:max():item() < width then return nil end
  for i, label in ipairs(labels:reshape(labels:numel()):totable()) do
    if label < 0 or label >= width then
      return ("label %d of example %d is outside 0..%d, the network's %d classes"):format(label,
        (i - 1) // positions + 1, width - 1, width)
    end
  end
end

-- What is wrong with the targets that a likelihood is of, or nil.
local function target_fault(self, data)
  local likelihood = self.likelihood
  if not likelihood then return nil end
  if not likelihood.targets then
    local names = named_tensors.names(data.y)
    if names and not likelihoods.describe(likelihood).own then
      return strings.message("targets are %s: expected a likelihood for each, {%s = ...}",
        table.concat(names, ", "), names[1])
    end
    return likelihood.classes and label_fault(self, data, data.y, likelihood) or nil
  end
  local fault = likelihood.names_fault(data.y)
  for _, name in ipairs(fault and {} or options.sorted_names(likelihood.targets)) do
    local own = likelihood.targets[name]
    local found = own.classes and label_fault(self, data, data.y[name], own, name)
    if found then return strings.message("%s: %s", name, found) end
  end
  return fault
end

--- Whether a data set fits the likelihood: objective:check_data.
function M.check_data(self, data)
  expect_model.data("objective:check_data: data", data)
  local fault = classes.difference(data.classes, self.classes) or target_fault(self, data)
  if fault then
    return nil, strings.message("%s%s", data.origin and data.origin .. ": " or "", fault)
  end
  self.classes = self.classes or data.classes
  self.preprocess = self.preprocess or data.preprocess
  return true
end

return M
