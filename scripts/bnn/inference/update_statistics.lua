--- Running statistics of a network's batch normalisations, by a pass over data.
local core = require "bnn.core"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local options = require "bnn.base.options"
local param_samples = require "bnn.params.param_samples"
local parameters = require "bnn.params.params"

local M = {}

local WHAT = "bnn.update_statistics"

-- Params with what the network makes of their state on one batch.
local function after_batch(net, params, x, key, momentum)
  local new_value = frame.with_updates(momentum, function()
    net:apply(params, x, {key = key, train = true})
  end)
  return params:map(function(tensor, name)
    return parameters.is_state(name) and new_value(tensor) or tensor
  end)
end

-- Each batch counts by its rows: the k-th moves the mean by its share of the rows so far.
local function estimate(net, params, data, opts)
  local n = named_tensors.rows(data.x)
  for from = 1, n, opts.batch_size do
    local count = math.min(opts.batch_size, n - from + 1)
    local key = opts.key and opts.key:fold(from)
    local x = named_tensors.map(data.x, function(tensor) return tensor:narrow(1, from, count) end)
    params = after_batch(net, params, x, key, count / (from - 1 + count))
  end
  return params
end

-- Writes the state of `from` into tensors.
local function copy_state(into, from)
  for name, tensor in pairs(into) do
    if parameters.is_state(name) then core.overwrite(tensor, from[name]) end
  end
end

-- A posterior with new state: of its mean, or of each sample of a bank.
local function of_posterior(net, posterior, data, opts)
  if posterior.components then
    fail("%s: model: expected params or a posterior of one family, got a mixture: each of its "
      .. "components has its own", WHAT)
  end
  local q = posterior:clone()
  local buffer = q:buffers()[1].params
  if not param_samples.is(buffer) then
    copy_state(buffer, estimate(net, q:mean(), data, opts))
    return q
  end
  for s = 1, #buffer do copy_state(buffer[s], estimate(net, buffer[s], data, opts)) end
  return q
end

--- Computes the running statistics of a network anew, by a pass over data as in training: of
-- weights that no step has seen, such as an average of them (bnn.collect.average, bnn.collect.swag)
-- or a draw q:sample(key), those that the steps kept are not the statistics of their layers
-- (Izmailov et al. 2018, section 3.2; PyTorch's update_bn). Each batch counts by its rows.
--     local bn = bnn.nn.batch_norm()
--     local part = {x = bnn.tensor{{1, 0}, {3, 0}}}
--     local p = bnn.update_statistics(bn, bn:init(bnn.key(1), part.x), part)
--     local mean = p["batch_norm/running_mean"] --> {2, 0}
-- @param net network with bnn.nn.batch_norm
-- @param model Params, or a posterior: its state is that of its mean; of samples
--   (bnn.posterior.empirical) each has its own
-- @param data part of a data set, or {x=}: the rows [n, ...], or tensors by name
-- @param opts table: batch_size=256, rows of a batch; key=, for a network with dropout, which is on
-- @return Params or posterior, in new memory
-- Raises if there are no examples or the model has no state, and for a mixture.
function M.update_statistics(net, model, data, opts)
  opts = options.check(WHAT, opts, {
    batch_size = {type = "integer", min = 1, default = 256}, key = "key",
  })
  if type(net) ~= "table" or net.apply == nil then
    fail.expected(WHAT .. ": net", "a network, with apply", net)
  end
  if not parameters.is(model) and not kinds.is_object(model, "posterior") then
    fail.expected(WHAT .. ": model", "params or a posterior", model)
  end
  expect_model.data(WHAT .. ": data", data)
  if named_tensors.rows(data.x) == 0 then fail("%s: data: expected examples, got none", WHAT) end
  local has_state = false
  for _, name in ipairs(model:names()) do has_state = has_state or parameters.is_state(name) end
  if not has_state then
    fail("%s: model: expected running statistics in it, as bnn.nn.batch_norm has, got none", WHAT)
  end
  if not parameters.is(model) then return of_posterior(net, model, data, opts) end
  return estimate(net, model, data, opts)
end

return M
