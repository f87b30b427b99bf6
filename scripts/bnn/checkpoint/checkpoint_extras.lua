--- Changes the extras of a checkpoint and nothing else in its file.
local checkpoint_file = require "bnn.checkpoint.checkpoint_file"
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local checkpoint_format = require "bnn.checkpoint.checkpoint_format"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local safetensors = require "bnn.base.safetensors"

local M = {}

-- The tensors and the metadata of an open checkpoint without its extras; or nil, fault.
local function all_but_extras(file)
  local tensors, metadata = {}, {}
  for name, text in pairs(file.metadata) do metadata[name] = text end
  for _, name in ipairs(file:names()) do
    if not name:find "^extras/" then
      local x, fault = file:tensor(name)
      if not x then return nil, fault end
      tensors[name] = x
    end
  end
  return tensors, metadata
end

-- The new extras of an open file, and the tensors and metadata of the rest; or nil, fault.
local function merged(file, more)
  local ok, fault = checkpoint_format.check(file)
  if not ok then return nil, fault end
  local extras, tensors, metadata
  extras, fault = checkpoint_format.decode_extras(file)
  if not extras then return nil, fault end
  tensors, metadata = all_but_extras(file)
  if not tensors then return nil, metadata end
  for name, value in pairs(more) do extras[name] = value end
  return extras, tensors, metadata
end

--- Updates the extras of a checkpoint, for instance with values fitted after the training.
--     bnn.checkpoint.update_extras("night/best.safetensors", {extras = {threshold = 0.3}})
-- Everything else in the file keeps its bytes; readers see either the old file or the new one.
-- @param path string
-- @param state table: extras=, as for save; existing names get the new values
-- @return true; or nil, message, also while a training works in the folder (the option `extras` of
--   bnn.train adds to its own checkpoints)
-- Raises if a value is not data (a function, an object).
function M.update_extras(path, state)
  local what = "bnn.checkpoint.update_extras"
  expect.string(what .. ": path", path)
  state = options.check(what, state, {extras = {type = "table", required = true}})
  local lock <close>, lack = checkpoint_folder.lock_of(path)
  if not lock then return nil, lack end
  local file <close>, message = safetensors.open(path)
  if not file then return nil, message end
  local extras, tensors, metadata = merged(file, state.extras)
  if not extras then return nil, checkpoint_file.with_path(path, tensors) end
  local ok, fault = checkpoint_format.encode_extras(tensors, metadata, extras)
  if not ok then fail("%s: %s", what, fault) end
  return safetensors.save(path, tensors, {metadata = metadata})
end

return M
