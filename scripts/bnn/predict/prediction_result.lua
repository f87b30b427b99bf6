--- What a prediction averages over networks, and the table of results made from it.
local core = require "bnn.core"
local describe = require "bnn.base.describe"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local renamed = require "bnn.base.renamed"
local shapes = require "bnn.base.shapes"
local trace_model = require "bnn.autodiff.trace_model"

local M = {}

-- Raises unless a likelihood's function gave one tensor with a row for each of n examples.
local function check_rows_of(value, name, output, n)
  if not kinds.is_object(value, "tensor") then
    local got = type(output) == "table" and ("%d values from the network"):format(#output)
      or kinds.shown(value)
    fail("bnn.predict: expected %s = function(output) ... end of the likelihood to give one tensor "
      .. "[n, ...], got %s", name, got)
  end
  if value:dim() == 0 or value:size(1) ~= n then
    fail("bnn.predict: %s: expected a row for each of %d examples, got %s", name, n,
      shapes.text(value))
  end
  return value
end

-- What a likelihood predicts of an output for n examples, a head: its first value gets a mean and a
-- standard deviation, an optional second one a mean only: the logits of classes, or the noise
-- variance that the network predicts.
local function head_of(likelihood, output, n)
  local value = likelihood.predict and likelihood.predict(output) or output
  check_rows_of(value, "predict", output, n)
  if options.accept(likelihood.variance, "function") then
    return {value, likelihood.variance(output):reshape(n, n > 0 and value:numel() // n or 0)}
  end
  if not (likelihood.classes and likelihood.logits) then return {value} end
  return {value, check_rows_of(likelihood.logits(output), "logits", output, n)}
end

--- The likelihoods of a model's heads, one or, by the names of its targets, several; and these
-- names, nil of one.
function M.likelihoods(likelihood)
  if not likelihood.targets then return {likelihood} end
  local names, list = options.sorted_names(likelihood.targets), {}
  for i, name in ipairs(names) do list[i] = likelihood.targets[name] end
  return list, names
end

--- Returns the function that predictions average over networks: function(params, batch, key) -> the
-- heads.
function M.averaged(model, likelihood, train)
  local list, names = M.likelihoods(likelihood)
  return function(params, batch, key)
    local n = named_tensors.rows(batch.x)
    local output = trace_model.prediction(model.net, params, batch.x, key, train)
    local heads = {}
    for i, own in ipairs(list) do
      local its = names and likelihood.output_of(output, names[i]) or output
      heads[i] = head_of(own, its, n)
    end
    return heads
  end
end

-- Moments [n, w] of a sequence of classes, as [n, t, C].
local function of_positions(x, like)
  return #like == 3 and x:reshape(x:size(1), like[2], like[3]) or x
end

-- Where the mean of a row is not a number there is no class either: -1, which no label is.
local function add_classes(result, sums, head, like)
  local mean, std = of_positions(result.mean, like), of_positions(result.std, like)
  result.mean, result.std = mean, std
  local best = mean:argmax(-1) -- [n], or [n, t] of sequences
  local shape, column = best:shape(), best:shape()
  column[#column + 1] = 1
  local at = best:reshape(column)
  result.probability = mean:gather(at, -1):reshape(shape) -- a NaN is the largest
  local is_number = result.probability:eq(result.probability)
  result.class = core.ops.where(is_number, best:real() - 1, -1):to("i32")
  result.class_std = std:gather(at, -1):reshape(shape)
  local scores = sums:scores(head)
  if mean:dim() > 2 then scores.variation_ratio, scores.energy = nil, nil end -- of one choice only
  for name, score in pairs(scores) do result[name] = score end
end

-- Epistemic and aleatoric deviation add up as variances (the law of total variance).
local function add_noise(result, variance)
  result.noise_std = variance:sqrt()
  result.total_std = (result.std ^ 2 + variance):sqrt()
end

-- Sums of one sample: what it says, and the variance of its noise, or nil.
local function draw_of(sums, head, likelihood)
  local mean = sums:moments(head)
  local variance = likelihood.variance or likelihood.sigma and likelihood.sigma ^ 2
  if type(variance) == "number" then variance = core.full(mean:shape(), variance) end
  return mean, type(variance) == "function" and sums:extra(head) or variance
end

-- A tensor [1, ...] of one [...].
local function as_row(x)
  local shape = x:shape()
  table.insert(shape, 1, 1)
  return x:reshape(shape)
end

-- Adds to the result of a head what each of the samples' sums says.
local function add_draws(result, head, likelihood, samples)
  local draws, stds = {}, {}
  for i, sums in ipairs(samples) do
    local mean, variance = draw_of(sums, head, likelihood)
    draws[i], stds[i] = as_row(mean), variance and as_row(variance:sqrt()) or nil
  end
  result.draws = parameters.concat(draws, 1)
  if stds[1] then result.draws_std = parameters.concat(stds, 1) end
end

--- Adds what each network says: draws [samples, n, w], and draws_std.
-- @param result prediction, as `of` made it
-- @param run function(s) -> the runtime's prediction of sample s alone
-- @param first integer: the first sample
function M.add_draws(result, likelihood, run, first)
  local samples = {}
  for i = 1, result.num_samples do samples[i] = run(first + i - 1) end
  local list, names = M.likelihoods(likelihood)
  for h, own in ipairs(list) do
    add_draws(names and result[names[h]] or result, h, own, samples)
  end
end

-- What errors call a prediction of several targets.
local function called(prediction)
  if rawget(prediction, "mean") then return nil end
  return "predictions by target (" .. describe.names(prediction) .. ")"
end

-- The old name of a field.
renamed.functions(describe.as("prediction", {}, called), "prediction", {samples = "num_samples"})

-- The prediction of a head.
local function result_of(sums, head, likelihood, opts, shape)
  local mean, std = sums:moments(head)
  local result = {mean = mean, std = std, num_samples = sums:samples()}
  if opts.classes[head] then add_classes(result, sums, head, shape) end
  local variance = likelihood.variance or likelihood.sigma and likelihood.sigma ^ 2
  if type(variance) == "number" then
    add_noise(result, core.full(std:shape(), variance))
  elseif variance then
    add_noise(result, sums:extra(head))
  end
  if opts.num_samples == "auto" then
    result.standard_error = sums:standard_error(head)
    result.reached = result.standard_error <= opts.tolerances[head]
  end
  return describe.as("prediction", result)
end

--- Makes the prediction that bnn.predict returns from running sums: of several targets a table of
-- such by name.
-- @param sums the runtime's prediction
-- @param opts table: classes= and tolerances= by head, num_samples=
-- @param head_shapes list: those of the heads' predictions, of some number of rows
function M.of(sums, likelihood, opts, head_shapes)
  local list, names = M.likelihoods(likelihood)
  if not names then return result_of(sums, 1, likelihood, opts, head_shapes[1]) end
  local result = {num_samples = sums:samples()}
  for h, own in ipairs(list) do result[names[h]] = result_of(sums, h, own, opts, head_shapes[h]) end
  return describe.as("prediction", result)
end

return M
