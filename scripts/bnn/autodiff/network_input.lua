--- What a network sees of the inputs of a data set: one rule for init, apply, steps, evaluate,
-- predict and whatever is recorded.
--
-- uint8 is for images: they become real numbers, x / 255. Every other type reaches the network as
-- it is: real numbers, and the integers (tokens, positions) that `index` and bnn.nn.embedding take.
-- Layers that compute take real numbers: x:real(), in the network or of the data, converts.
-- runtime/inference/batch.h has the same rule for the pass that gathers a batch.
local core = require "bnn.core"

local M = {}

--- The type that a network sees.
-- @param x tensor
function M.dtype(x)
  local dtype = x:dtype()
  return dtype == "u8" and core.real or dtype
end

--- The input as a network sees it.
-- @param x tensor, concrete or being recorded
function M.seen(x) return x:dtype() == "u8" and x:real() / 255 or x end

return M
