--- The embedding layer.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"

local M = {}

-- Raises unless x holds ids; the op looks at their values when it runs.
local function check_ids(x, count)
  local dtype = x:dtype()
  if dtype == "i32" or dtype == "i64" then return end
  local note = dtype == core.real and "; uint8 inputs become images, x / 255" or ""
  fail('x: expected ids 1..%d as i32 or i64, got %s: x:to("i32") converts%s', count, dtype, note)
end

--- Makes an embedding: ids 1..count (i32 or i64) of any shape, such as tokens [n, t], become rows
-- of a table, [n, t, d]. Ids count from 1, as positions do; x + 1 shifts those that count from 0.
-- Parameters w [count, d]. An id outside the table raises an error that names it; a step raises it
-- before anything changes.
--     local function mean(x) return x:mean(2) end
--     bnn.nn.sequential{bnn.nn.embedding(5000, 32), mean, bnn.nn.linear(2)}
-- @param count integer: rows of the table
-- @param d integer: features of each
-- @param opts table: w_init=bnn.nn.normal, N(0, 1) as PyTorch's, a function (key, shape) -> tensor
-- @return layer
function M.embedding(count, d, opts)
  count = expect.value("bnn.nn.embedding: count", count, layer.SIZE)
  d = expect.value("bnn.nn.embedding: d", d, layer.SIZE)
  opts = options.check("bnn.nn.embedding", opts, {
    w_init = {type = "function", default = initializers.normal},
  })
  local function forward(x)
    check_ids(x, count)
    return core.ops.index(frame.parameter("w", {count, d}, opts.w_init), x)
  end
  return layer.new{
    kind = "embedding", args = {count, d}, forward = forward,
    text = ("embedding(%d, %d)"):format(count, d),
  }
end

return M
