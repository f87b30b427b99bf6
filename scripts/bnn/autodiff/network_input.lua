--- How a network sees the inputs of a data set: one rule for init, apply, steps, evaluate, predict
-- and every recording.
--
-- uint8 means images: they become real numbers, x / 255. Every other type reaches the network
-- unchanged: real numbers, and the integers (tokens, positions) that `index` and bnn.nn.embedding
-- take. Layers that compute take real numbers: convert with x:real(), in the network or in the
-- data. runtime/batches/batch.h has the same rule for the pass that gathers a batch.
local core = require "bnn.core"
local named_tensors = require "bnn.params.named_tensors"

local M = {}

--- Returns the type that a network sees.
-- @param x tensor
function M.dtype(x)
  local dtype = x:dtype()
  return dtype == "u8" and core.real or dtype
end

-- One input as a network sees it.
local function seen(x) return x:dtype() == "u8" and x:real() / 255 or x end

--- Returns the input, or several by name, as a network sees them.
-- @param x tensor or named tensors, concrete or being recorded
function M.seen(x) return named_tensors.map(x, seen) end

return M
