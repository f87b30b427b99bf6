--- Describes models as plain tables, and opens checkpoints as models.
local checkpoint_file = require "bnn.checkpoint.checkpoint_file"
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local classes = require "bnn.model.classes"
local describe = require "bnn.base.describe"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local likelihoods = require "bnn.model.likelihood"
local networks = require "bnn.nn.nn"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local priors = require "bnn.model.priors"
local strings = require "bnn.base.strings"
local table_preprocess = require "bnn.data.table_preprocess"

local M = {}

--- Describes a model as a plain table: its network, if made of bnn.nn, its likelihood, its prior,
-- the names of its classes and what made its data of tables.
--     local described = bnn.checkpoint.describe(model)
--     print(described.likelihood)
-- @param model an objective, or a table {net=, likelihood=, prior=, classes=, preprocess=}
-- @return table {net=, likelihood=, prior=, classes=, preprocess=}, from which `open` makes a model
-- Raises if preprocess is not a fitted one.
function M.describe(model)
  local what = "bnn.checkpoint.describe: model.preprocess"
  if type(model) ~= "table" or parameters.is(model) then
    local wanted = "an objective, or a table {net=, likelihood=}"
    fail.expected("bnn.checkpoint.describe: model", wanted, model)
  end
  local likelihood = model.likelihood
  local is_made = type(likelihood) == "table" and likelihood.log_prob
  if likelihood and not is_made then likelihood = likelihoods.resolve(likelihood) end
  return {
    net = model.net and networks.to_config(model.net) or nil,
    likelihood = likelihood and likelihoods.describe(likelihood) or nil,
    prior = model.prior and priors.describe(model.prior) or nil,
    classes = model.classes,
    preprocess = model.preprocess and table_preprocess.describe(what, model.preprocess) or nil,
  }
end

-- The network of a description, unless one is given; or nil, message.
local function network_of(about, given)
  if given then return given end
  local net, fault = nil, "its network was made by a function, which a file does not hold"
  if about.net then net, fault = networks.from_config(about.net) end
  return net, net == nil and fault .. ": give net=" or nil
end

-- The same of its likelihood, which may be nil with no message.
local function likelihood_of(about, given)
  if given then return likelihoods.resolve(given) end
  if not about.likelihood then return nil end
  local likelihood, fault = likelihoods.of_data(about.likelihood)
  return likelihood, not likelihood and fault .. ": give likelihood=" or nil
end

-- The model of a state; or nil, fault.
local function model_of(state, opts)
  if not (state.posterior or state.params) then return nil, "it has no parameters" end
  local about = state.model or {}
  local net, fault = network_of(about, opts.net)
  if not net then return nil, fault end
  local likelihood, lack = likelihood_of(about, opts.likelihood)
  if lack then return nil, lack end
  local names = classes.of_data(about.classes)
  if about.classes ~= nil and not names then return nil, "its classes are not a list of names" end
  local preprocess
  if about.preprocess ~= nil then
    preprocess, fault = table_preprocess.of_data(about.preprocess)
    if not preprocess then return nil, fault end
  end
  return describe.as("model", {
    net = net, likelihood = likelihood, classes = names, posterior = state.posterior,
    preprocess = preprocess, prior = priors.of_data(about.prior),
    params = state.params, config = state.config, extras = state.extras, step = state.step,
  })
end

--- Opens a checkpoint as a model that can predict at once.
--     local model = assert(bnn.checkpoint.open "runs/mnist/best.safetensors")
--     print(bnn.predict(model, images, {key = bnn.key(1)}).class)
-- @param path string: a file; or the folder of a training: its best checkpoint, else its newest
-- @param opts table: net=, required if the network was made by a function; likelihood=, required if
--   it is not one of bnn.likelihood
-- @return {net=, posterior= or params=, likelihood=, prior=, classes=, preprocess=, config=,
--   extras=, step=}; or nil, message. prior is nil if it was a function. classes, if the training
--   data named them, number the labels of data that are read with like= this model. preprocess, if
--   they came from a table, applies to other tables, and inverts predictions
function M.open(path, opts)
  expect.string("bnn.checkpoint.open: path", path)
  opts = options.check("bnn.checkpoint.open", opts, {net = "any", likelihood = "any"})
  local paths, lack = checkpoint_folder.paths(path)
  if not paths then return nil, lack end
  local state, message = checkpoint_file.load(paths[1])
  if not state then return nil, message end
  local model, fault = model_of(state, opts)
  if not model then return nil, strings.message("%s: %s", paths[1], fault) end
  return model
end

return M
