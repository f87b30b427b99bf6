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
  output = {type = "string", choices = {"all", "last", "both"}, default = "all"},
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

-- ---- what a call gives beside x ----

-- A state of `width` columns, as the op takes it.
local function check_state(kind, name, state, x, width)
  local n, shape = x:size(1), state:shape()
  if #shape <= 2 and shape[#shape] == width and (#shape == 1 or shape[1] == n) then
    return #shape == 1 and ops.view(state, {1, width}) or state
  end
  fail("bnn.nn.%s: %s: expected [%d, %d] or [%d], got %s", kind, name, n, width, width,
    shapes.text(state))
end

-- The initial state of direction i of `count`, [n, ...] or [1, ...] for all sequences: h0, beside
-- c0 in an LSTM; nil where none is given.
local function initial_state(kind, cell, units, given, x, i, count)
  local h0, c0 = given.h0, given.c0
  if c0 ~= nil and h0 == nil then fail("bnn.nn.%s: c0: expected h0 beside it", kind) end
  if h0 == nil then return nil end
  h0 = check_state(kind, "h0", h0, x, count * units)
  local function own(state)
    return count == 1 and state or state:narrow(-1, (i - 1) * units + 1, units)
  end
  if not cell.has_memory then return own(h0) end
  if c0 == nil then return ops.concat({own(h0), own(h0) * 0}, -1) end
  c0 = check_state(kind, "c0", c0, x, count * units)
  if c0:size(1) ~= h0:size(1) then
    fail("bnn.nn.%s: c0: expected the shape of h0, %s, got %s", kind, shapes.text(given.h0),
      shapes.text(given.c0))
  end
  return ops.concat({own(h0), own(c0)}, -1)
end

-- The lengths that a call gives; real ones as the op reads them.
local function lengths_of(kind, given, x)
  local lengths = given.lengths
  if lengths then layer.check_lengths("bnn.nn." .. kind, lengths, x) end
  if not lengths or lengths:dtype() ~= core.real then return lengths end
  return ops.clamp(ops.trunc(lengths), 0, x:size(2))
end

local GIVEN = {h0 = "tensor", lengths = "tensor"}
local GIVEN_WITH_MEMORY = {h0 = "tensor", c0 = "tensor", lengths = "tensor"}

-- ---- one direction ----

-- Rows [n, t, parts units] of the op for one direction, whose parameters' names end so.
local function rows_of(cell, units, opts, x, run)
  local width, ending = cell.gates * units, run.ending
  local w = frame.parameter("w" .. ending, {x:size(3), width}, opts.w_init)
  local u = frame.parameter("u" .. ending, {units, width}, opts.u_init)
  local b = frame.parameter("b" .. ending, {width}, cell.b_init(units, opts))
  local own = cell.has_bias and frame.parameter("b_u" .. ending, {units}, opts.b_init) or nil
  local args = {ops.linear(x, w, b), u, own}
  args[#args + 1] = run.state
  args[#args + 1] = run.lengths
  args[#args + 1] = run.reverse
  return cell.op(table.unpack(args))
end

-- The row of each sequence's last step [n, parts units].
local function last_rows(rows, run)
  if run.reverse then return rows:select(2, 1) end
  if not run.lengths then return rows:select(2, rows:size(2)) end
  local n, t = rows:size(1), rows:size(2)
  local is_last = ops.eq(core.arange(1, t), ops.view(run.lengths, {n, 1, 1}))
  return ops.bmm(is_last, rows):select(2, 1) -- 0 where no step is
end

-- The state after the last step [n, units], and the memory of a cell that has one. A sequence of no
-- steps stays in its initial state.
local function last_state(rows, cell, units, run)
  local width = (cell.has_memory and 2 or 1) * units
  local last = last_rows(rows, run):narrow(2, 1, width)
  if run.lengths and run.state then
    local any = ops.view(ops.gt(run.lengths, 0), {rows:size(1), 1})
    last = ops.where(any, last, run.state)
  end
  if not cell.has_memory then return last end
  return last:narrow(2, 1, units), last:narrow(2, units + 1, units)
end

-- What the layer gives of one direction: a list.
local function outputs(rows, cell, units, opts, run)
  local states = opts.output ~= "last" and rows:narrow(3, 1, units) or nil
  if opts.output == "all" then return {states} end
  local h, c = last_state(rows, cell, units, run)
  if opts.output == "last" then return {h} end
  return {states, h, c}
end

local function forward_of(kind, cell, units, opts)
  local count = opts.bidirectional and 2 or 1
  local given_spec = cell.has_memory and GIVEN_WITH_MEMORY or GIVEN
  local function direction(x, given, i)
    local run = {reverse = opts.reverse ~= (i == 2), ending = i == 2 and "_reverse" or "",
                 lengths = lengths_of(kind, given, x),
                 state = initial_state(kind, cell, units, given, x, i, count)}
    return outputs(rows_of(cell, units, opts, x, run), cell, units, opts, run)
  end
  return function(x, given)
    check_input(kind, x)
    given = options.check("bnn.nn." .. kind, given, given_spec)
    local results = direction(x, given, 1)
    if count == 2 then
      for i, back in ipairs(direction(x, given, 2)) do
        results[i] = ops.concat({results[i], back}, -1)
      end
    end
    return table.unpack(results)
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
local LSTM = {op = ops.lstm, gates = 4, b_init = forget_bias, has_memory = true,
              spec = {forget_bias = {type = "number", default = 1}}}

--- Makes a plain recurrent layer (Elman 1990): sequences x [n, t, d] -> states [n, t, units], with
-- state = tanh(x w + b + state before u), from a state of 0. Parameters w [d, units],
-- u [units, units], b [units].
--     local layer = bnn.nn.rnn(8)
--     layer:apply(layer:init(key, bnn.ones(2, 5, 3)), bnn.ones(2, 5, 3)) --> [2, 5, 8]
-- Inside a network, layer(x, {h0 = state, lengths = lengths}) begins from a state [n, units], or
-- one [units] for all sequences, as bnn.nn.parameter gives; lengths [n], integers from 0 to t or
-- real numbers that are cut to that, are the steps that each padded sequence has. The states after
-- them are 0, the last state is that of a sequence's own last step, and reading in reverse begins
-- there, as with PyTorch's packed sequences.
-- @param units integer: up to 4096
-- @param opts table:
--   output="all"     "last": the state after the last step alone, [n, units]. "both": all states
--                    and, as further results, the last state and an LSTM's last memory
--   reverse=false    true: from the last step to the first
--   bidirectional=false  true: both, side by side, [n, t, 2 units], as are h0 and last states,
--                    [n, 2 units]; the other direction's parameters are w_reverse, u_reverse,
--                    b_reverse
--   w_init, u_init, b_init  functions (key, shape) -> tensor; bnn.nn.truncated_normal, uniform
--                    within 1 / sqrt(units), and bnn.nn.zeros
-- @return layer
-- Raises if x is not [n, t, d], or the state or lengths have other shapes.
function M.rnn(units, opts) return make("rnn", RNN, units, opts) end

--- Makes a layer of gated recurrent units (Cho et al. 2014): sequences x [n, t, d] -> states
-- [n, t, units], from a state of 0 or h0. The reset gate comes after the product with u, as in
-- cuDNN and PyTorch. Parameters w [d, 3 units], u [units, 3 units], b [3 units], and b_u [units],
-- the bias of the new state's part in the product with u; gates in the order reset, update, new.
--     local layer = bnn.nn.gru(8, {output = "last"})
--     layer:apply(layer:init(key, bnn.ones(2, 5, 3)), bnn.ones(2, 5, 3)) --> [2, 8]
-- @param units integer: up to 4096
-- @param opts table: as for bnn.nn.rnn
-- @return layer
-- Raises if x is not [n, t, d], or the state or lengths have other shapes.
function M.gru(units, opts) return make("gru", GRU, units, opts) end

--- Makes a layer of LSTM cells (Hochreiter and Schmidhuber 1997; Gers et al. 2000): sequences
-- x [n, t, d] -> states [n, t, units], from a state and a memory of 0, or h0 and c0. Parameters
-- w [d, 4 units], u [units, 4 units], b [4 units]; gates in the order input, forget, cell, output.
--     local layer = bnn.nn.lstm(8, {bidirectional = true})
--     layer:apply(layer:init(key, bnn.ones(2, 5, 3)), bnn.ones(2, 5, 3)) --> [2, 5, 16]
--     local reader, writer = bnn.nn.lstm(8, {output = "both"}), bnn.nn.lstm(8)
--     local net = bnn.transform(function(x)             -- one begins where the other ends
--       local _, h, c = reader(x, {lengths = x:select(3, 1):ne(0):sum(2)})
--       return writer(x, {h0 = h, c0 = c})
--     end)
--     net:apply(net:init(key, bnn.ones(2, 5, 3)), bnn.ones(2, 5, 3)) --> [2, 5, 8]
-- @param units integer: up to 4096
-- @param opts table: as for bnn.nn.rnn, and forget_bias=1, which is added to the initial biases of
--   the forget gates, so that memories last from the start (Jozefowicz et al. 2015)
-- @return layer
-- Raises if x is not [n, t, d], or the state or lengths have other shapes.
function M.lstm(units, opts) return make("lstm", LSTM, units, opts) end

return M
