--- Writes and reads the files of checkpoints.
local checkpoint_format = require "bnn.checkpoint.checkpoint_format"
local core = require "bnn.core"
local describe = require "bnn.base.describe"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local safetensors = require "bnn.base.safetensors"
local strings = require "bnn.base.strings"

local M = {}

local state_spec = {
  posterior = "posterior", params = "params", optimizer = "state", key = "key",
  collector = "collector",
  step = {type = "integer", min = 0}, extras = "table", config = "table", versions = "table",
  training = "table", model = "table",
}

--- Checks whether a state can be written.
--     print(bnn.checkpoint.check{params = params, extras = {threshold = 0.3}}) -- true
-- @param state table as for save
-- @return true; or nil, message: what is not plain data, or that this build cannot write
--   checkpoints
function M.check(state)
  state = options.check("bnn.checkpoint.check", state, state_spec)
  local ready, lack = core.json_encode(true)
  if not ready then return nil, lack end
  local tensors, fault = checkpoint_format.encode(state)
  if not tensors then return nil, fault end
  return true
end

--- Writes a checkpoint atomically: temporary file in the same folder, fsync, rename.
--     local model = bnn.checkpoint.describe(objective)
--     assert(bnn.checkpoint.save("mnist.safetensors", {posterior = q, model = model}))
-- Numbers keep their bits, infinities and NaN included.
-- @param path string
-- @param state table with any of:
--   posterior, params
--   optimizer   the state of an optimizer
--   collector   the collector of a state
--   key, step
--   extras      a table of booleans, numbers, strings, keys, tensors and tables of these
--   config      the same without tensors
--   model       what `describe` returns
--   training    what bnn.train compares when it resumes
--   The versions of program and libraries are added.
-- @return true; or nil, message. Raises if a value is not data (a function, an object).
function M.save(path, state)
  expect.string("bnn.checkpoint.save: path", path)
  state = options.check("bnn.checkpoint.save", state, state_spec)
  local ready, lack = core.json_encode(true)
  if not ready then return nil, path .. ": " .. lack end
  local tensors, metadata = checkpoint_format.encode(state)
  if not tensors then fail("bnn.checkpoint.save: %s", metadata) end
  return safetensors.save(path, tensors, {metadata = metadata})
end

--- Puts the path before a fault, once.
function M.with_path(path, fault)
  path = strings.shown(path) -- as faults have it
  local from, to = fault:find(path .. ": ", 1, true)
  if from then fault = fault:sub(1, from - 1) .. fault:sub(to + 1) end
  return path .. ": " .. fault
end

--- Reads a checkpoint: the table that was saved, with parameters in their order, the optimizer's
-- state and the extras.
--     local saved = assert(bnn.checkpoint.load "mnist.safetensors")
--     print(saved.step, saved.posterior)
-- A file holds no functions: if the learning rate was a function of the step, further training
-- needs lr= (bnn.train).
-- @param path string
-- @return table with those of posterior, params, optimizer, key, step, extras, config, model,
--   training and versions that were saved; or nil, message
function M.load(path)
  expect.string("bnn.checkpoint.load: path", path)
  local file <close>, message = safetensors.open(path)
  if not file then return nil, message end
  local state, fault = checkpoint_format.decode(file)
  if not state then return nil, M.with_path(path, fault) end
  return describe.as("checkpoint", state)
end

return M
