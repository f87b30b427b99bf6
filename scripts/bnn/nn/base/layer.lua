--- Layers: values that are called on a tensor inside a network, and are a net by themselves.
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local net = require "bnn.nn.base.net"
local number = require "bnn.base.number"
local shapes = require "bnn.base.shapes"

local M = {}

local Layer = {__name = "bnn.layer"}
Layer.__index = Layer

--- Makes a layer.
-- @param spec table: kind= its name in bnn.nn, of which paths are made; text= what tostring gives;
--   forward= function(x, ...) -> y, which gets its parameters from frame.parameter, and what the
--   layer is called with; args= the list of arguments that make it again, without what only matters
--   for initial values; container=true if it calls layers that are to count from 0;
--   takes_named=true if x may be tensors by name
function M.new(spec) return setmetatable(spec, Layer) end

--- Whether a value is a layer.
function M.is(value) return getmetatable(value) == Layer end

--- Raises unless lengths are one for each sequence of x [n, t, d].
-- @param what string: the layer, for messages
function M.check_lengths(what, lengths, x)
  if lengths:dim() == 1 and lengths:size(1) == x:size(1) then return end
  fail("%s: lengths: expected [%d], got %s", what, x:size(1), shapes.text(lengths))
end

local function call_forward(self, x, ...)
  if kinds.is_object(x, "tensor") or self.takes_named and named_tensors.is_named(x) then
    return self.forward(x, ...)
  end
  return expect.tensor("x", named_tensors.single("x", x), "a tensor")
end

function Layer.__call(self, x, ...) return frame.call(self, call_forward, x, ...) end

function Layer.__tostring(self) return self.text end

-- A layer as a net of its own: its path is its kind.
local function as_net(self)
  return net.transform(function(x) return self(x) end)
end

--- Draws the initial parameters of a layer, which by itself is a net: see net:init.
--     bnn.nn.linear(3):init(key, bnn.ones(1, 4)):names()     -- linear/w, linear/b
-- @param key key
-- @param x tensor [n, ...] or part of a data set: only the shape of a row and the type matter
-- @return params
function Layer:init(key, x)
  local own = as_net(self)
  local params = own:init(key, x)
  net.take_layers(self, own)
  return params
end

--- Summarises a layer, which by itself is a net, for inputs like x: see net:summary.
--     local parameters = bnn.nn.linear(3):summary(bnn.ones(1, 4)).parameters --> 15
-- @param x tensor [n, ...] or part of a data set: only the shape of a row and the type matter
-- @return table as net:summary returns it
function Layer:summary(x)
  local own = as_net(self)
  local summary = own:summary(x)
  net.take_layers(self, own)
  summary.text = tostring(self)
  return summary
end

--- Computes a layer's output, which by itself is a net: see net:apply.
--     bnn.nn.relu():apply({}, bnn.tensor{-1, 2})        -- 0, 2
-- @param params as init returns them
-- @param x tensor [n, ...]
-- @param opts table: key= (for dropout), train=false, statistics=, as net:apply takes them
-- @return tensor [n, ...], or what the layer returns
function Layer:apply(params, x, opts) return as_net(self):apply(params, x, opts) end

--- Options as a layer shows them: ", {stride=2, bias=false}", or "" if all are at their defaults.
-- @param list list of {name, value, default}
function M.changed_text(list)
  local texts = {}
  for _, item in ipairs(list) do
    local name, value, default = item[1], item[2], item[3]
    if value ~= default then texts[#texts + 1] = name .. "=" .. number.text(value) end
  end
  return texts[1] and ", {" .. table.concat(texts, ", ") .. "}" or ""
end

--- The spec of a size: a count that meets BLAS.
M.SIZE = {type = "integer", min = 1, max = (1 << 31) - 1}

expect_model.check_methods(Layer, "layer", expect_model.has "forward")

return M
