--- The dropout layer.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local frames = require "bnn.nn.base.frame"
local kinds = require "bnn.base.kinds"
local layer = require "bnn.nn.base.layer"
local number = require "bnn.base.number"

local M = {}

-- The key of a call: apply's, folded by the layer's path and, after the first, the call's number.
local function key_of_call(frame)
  local path, pass = frame.path, frame.pass
  if not pass.key then fail "net:apply: key: expected a key while training, got nothing" end
  local call = (pass.calls[path] or 0) + 1
  pass.calls[path] = call
  local key = pass.key:fold(path)
  return call == 1 and key or key:fold(call)
end

--- Makes a dropout layer (Srivastava et al. 2014): while training each element is zero with
-- probability p, and the others are divided by 1 - p; otherwise the result is x. The mask is a
-- function of apply's key, the layer's path, and the number of earlier calls: a layer that is used
-- twice has two masks.
--     local layer = bnn.nn.dropout(0.5)
--     layer:apply({}, bnn.ones(2, 3), {key = key, train = true})     -- [2, 3] of 0 and 2
-- @param p number in [0, 1)
-- @return layer
-- Raises if p is not in [0, 1).
function M.dropout(p)
  if type(p) ~= "number" or not (p >= 0 and p < 1) then
    fail("bnn.nn.dropout: p: expected a number in [0, 1), got %s", kinds.show(p))
  end
  local function forward(x)
    local frame = frames.current "bnn.nn.dropout"
    local pass = frame.pass
    if not pass.train or pass.rec then return x end
    return core.ops.dropout(x, key_of_call(frame), p)
  end
  return layer.new{
    kind = "dropout", args = {p}, forward = forward, text = number.format("dropout(%g)", p),
  }
end

return M
