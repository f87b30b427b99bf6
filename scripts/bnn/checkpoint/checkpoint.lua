--- Checkpoints: saves the state of a training in a file and restores it bit for bit.
--
--     bnn.checkpoint.save("mnist.safetensors", {posterior = q, optimizer = state, step = 1000,
--       key = key, extras = {standardisation = stats, temperature = 1.3}, config = cfg})
--     local state = assert(bnn.checkpoint.load "mnist.safetensors")
--     print(state.step, state.posterior, state.extras.temperature)
--
-- The file is data only, never code: safetensors, which bnn.safetensors and Python open too. Its
-- tensors are mu/PATH and logvar/PATH of a posterior, params/PATH, optimizer/moments/1, ..., and,
-- as U64, optimizer/steps, key and step; tensors among the extras are extras/NAME/.... Its metadata
-- hold the rest as JSON: the order of names, options, extras, config, versions.
local checkpoint_extras = require "bnn.checkpoint.checkpoint_extras"
local checkpoint_file = require "bnn.checkpoint.checkpoint_file"
local checkpoint_flags = require "bnn.checkpoint.checkpoint_flags"
local checkpoint_model = require "bnn.checkpoint.checkpoint_model"
local load_params = require "bnn.checkpoint.load_params"
local renamed = require "bnn.base.renamed"

local M = {
  check = checkpoint_file.check,
  save = checkpoint_file.save,
  load = checkpoint_file.load,
  update_extras = checkpoint_extras.update_extras,
  describe = checkpoint_model.describe,
  open = checkpoint_model.open,
  compare = load_params.compare,
  load_into = load_params.load_into,
  flags = checkpoint_flags.flags,
  from_flags = checkpoint_flags.from_flags,
}

renamed.functions(M, "bnn.checkpoint",
  {take = "load_into", of = "from_flags", amend = "update_extras"})

return M
