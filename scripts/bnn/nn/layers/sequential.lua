--- Layers one after the other.
local fail = require "bnn.base.fail"
local frames = require "bnn.nn.base.frame"
local kinds = require "bnn.base.kinds"
local layer = require "bnn.nn.base.layer"
local named_tensors = require "bnn.params.named_tensors"
local options = require "bnn.base.options"

local M = {}

-- Raises unless x is what entry i may give: a tensor or several by name, or anything but nil if it
-- is the last.
local function check_result(l, i, is_last, x, ...)
  if kinds.is_object(x, "tensor") or is_last and x ~= nil then return x, ... end
  if named_tensors.is_named(x) and next(x) ~= nil then return x, ... end
  local what = layer.is(l) and ("result of entry %d"):format(i) or "result"
  fail.expected(what, "a tensor", x)
end

-- Calls entry i on x. While it is a function, errors name its number instead of a layer's path.
local function call_entry(l, i, is_last, x)
  frames.current("bnn.nn.sequential").entry = not layer.is(l) and i - 1 or nil
  return check_result(l, i, is_last, l(x))
end

--- Makes a network that calls layers (or functions of a tensor) one after the other. The last may
-- return several values.
--     bnn.nn.sequential{bnn.nn.flatten(), bnn.nn.linear(64), bnn.nn.relu(), bnn.nn.linear(10)}
-- @param layers list of layers or functions
-- @return layer
function M.sequential(layers)
  if type(layers) ~= "table" or #layers == 0 then
    fail.expected("bnn.nn.sequential", "a list of layers", layers)
  end
  local texts = {}
  for i, l in ipairs(layers) do
    if not options.accept(l, "function") then -- layers can be called, and so can bnn.log
      fail.expected(("bnn.nn.sequential: entry %d"):format(i), "a layer or a function", l)
    end
    texts[i] = layer.is(l) and tostring(l) or "function"
  end
  local function forward(x)
    local n = #layers
    for i = 1, n - 1 do x = call_entry(layers[i], i, false, x) end
    return call_entry(layers[n], n, true, x)
  end
  return layer.new{
    kind = "sequential", args = {layers}, forward = forward, container = true, takes_named = true,
    text = "sequential{" .. table.concat(texts, ", ") .. "}",
  }
end

return M
