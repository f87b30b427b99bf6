--- Recurrent layers: rnn, gru and lstm over sequences [n, t, d], a product for the inputs of all
-- steps and one op for what the steps do in turn.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

local ops = core.ops

-- Uniform within 1 / sqrt(units), as PyTorch draws the recurrent weights.
local function recurrent_weights(key, shape)
  return (core.rand(key, shape) * 2 - 1) / math.sqrt(shape[1])
end

local SPEC = {
  output = {type = "string", choices = {"all", "last"}, default = "all"},
  reverse = {type = "boolean", default = false},
  bidirectional = {type = "boolean", default = false},
  w_init = {type = "function", default = initializers.truncated_normal},
  u_init = {type = "function", default = recurrent_weights},
  b_init = {type = "function", default = initializers.zeros},
}

local function check_input(kind, x)
  if x:dim() == 3 then return end
  fail("bnn.nn.%s: x: expected sequences [n, t, features], got %s", kind, shapes.text(x))
end

-- The states [n, t, units] of one direction, whose parameters' names end so.
local function direction(cell, units, opts, x, reverse, ending)
  local width = cell.gates * units
  local w = frame.parameter("w" .. ending, {x:size(3), width}, opts.w_init)
  local u = frame.parameter("u" .. ending, {units, width}, opts.u_init)
  local b = frame.parameter("b" .. ending, {width}, cell.b_init(units, opts))
  local own = cell.has_bias and frame.parameter("b_u" .. ending, {units}, opts.b_init) or nil
  local p = ops.linear(x, w, b)
  local y = own and cell.op(p, u, own, reverse) or cell.op(p, u, reverse)
  return y:size(3) == units and y or y:narrow(3, 1, units)
end

-- What the layer gives of the states of one direction.
local function output(states, opts, reverse)
  if opts.output == "all" then return states end
  return states:select(2, reverse and 1 or states:size(2))
end

local function forward_of(kind, cell, units, opts)
  return function(x)
    check_input(kind, x)
    local reverse = opts.reverse
    local states = output(direction(cell, units, opts, x, reverse, ""), opts, reverse)
    if not opts.bidirectional then return states end
    local back = output(direction(cell, units, opts, x, not reverse, "_reverse"), opts, not reverse)
    return ops.concat({states, back}, -1)
  end
end

local function make(kind, cell, units, opts)
  local what = "bnn.nn." .. kind
  units = expect.value(what .. ": units", units, {type = "integer", min = 1, max = 4096})
  local spec = {}
  for name, row in pairs(SPEC) do spec[name] = row end
  for name, row in pairs(cell.spec or {}) do spec[name] = row end
  opts = options.check(what, opts, spec)
  local shown = {output = opts.output, reverse = opts.reverse, bidirectional = opts.bidirectional,
                 forget_bias = opts.forget_bias}
  return layer.new{
    kind = kind, args = {units, shown}, forward = forward_of(kind, cell, units, opts),
    text = ("%s(%d%s)"):format(kind, units, layer.changed_text{
      {"output", opts.output, "all"}, {"reverse", opts.reverse, false},
      {"bidirectional", opts.bidirectional, false}, {"forget_bias", opts.forget_bias, 1}}),
  }
end

local function plain_bias(_, opts) return opts.b_init end

-- The forget gates' part, the second, is raised.
local function forget_bias(units, opts)
  return function(key, shape)
    local b = opts.b_init(key, shape)
    local raised = core.concat{core.zeros{units}, core.full({units}, opts.forget_bias),
                               core.zeros{2 * units}}
    return b + raised
  end
end

local RNN = {op = ops.rnn, gates = 1, b_init = plain_bias}
local GRU = {op = ops.gru, gates = 3, b_init = plain_bias, has_bias = true}
local LSTM = {op = ops.lstm, gates = 4, b_init = forget_bias,
              spec = {forget_bias = {type = "number", default = 1}}}

--- Makes a plain recurrent layer (Elman 1990): sequences x [n, t, d] -> states [n, t, units], with
-- state = tanh(x w + b + state before u), from a state of 0. Parameters w [d, units],
-- u [units, units], b [units].
--     local layer = bnn.nn.rnn(8)
--     layer:apply(layer:init(key, bnn.ones(2, 5, 3)), bnn.ones(2, 5, 3)) --> [2, 5, 8]
-- @param units integer: up to 4096
-- @param opts table:
--   output="all"     "last": the state after the last step alone, [n, units]
--   reverse=false    true: from the last step to the first
--   bidirectional=false  true: both, side by side, [n, t, 2 units]; the other direction's
--                    parameters are w_reverse, u_reverse, b_reverse
--   w_init, u_init, b_init  functions (key, shape) -> tensor; bnn.nn.truncated_normal, uniform
--                    within 1 / sqrt(units), and bnn.nn.zeros
-- @return layer
-- Raises if x is not [n, t, d].
function M.rnn(units, opts) return make("rnn", RNN, units, opts) end

--- Makes a layer of gated recurrent units (Cho et al. 2014): sequences x [n, t, d] -> states
-- [n, t, units], from a state of 0. The reset gate comes after the product with u, as in cuDNN and
-- PyTorch. Parameters w [d, 3 units], u [units, 3 units], b [3 units], and b_u [units], the bias of
-- the new state's part in the product with u; gates in the order reset, update, new.
--     local layer = bnn.nn.gru(8, {output = "last"})
--     layer:apply(layer:init(key, bnn.ones(2, 5, 3)), bnn.ones(2, 5, 3)) --> [2, 8]
-- @param units integer: up to 4096
-- @param opts table: as for bnn.nn.rnn
-- @return layer
-- Raises if x is not [n, t, d].
function M.gru(units, opts) return make("gru", GRU, units, opts) end

--- Makes a layer of LSTM cells (Hochreiter and Schmidhuber 1997; Gers et al. 2000): sequences
-- x [n, t, d] -> states [n, t, units], from a state and a memory of 0. Parameters w [d, 4 units],
-- u [units, 4 units], b [4 units]; gates in the order input, forget, cell, output.
--     local layer = bnn.nn.lstm(8, {bidirectional = true})
--     layer:apply(layer:init(key, bnn.ones(2, 5, 3)), bnn.ones(2, 5, 3)) --> [2, 5, 16]
-- @param units integer: up to 4096
-- @param opts table: as for bnn.nn.rnn, and forget_bias=1, which is added to the initial biases of
--   the forget gates, so that memories last from the start (Jozefowicz et al. 2015)
-- @return layer
-- Raises if x is not [n, t, d].
function M.lstm(units, opts) return make("lstm", LSTM, units, opts) end

return M
