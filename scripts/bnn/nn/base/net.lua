--- Networks: init and apply of a function of a tensor, as Haiku's transform.
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local net_summary = require "bnn.nn.base.net_summary"
local named_tensors = require "bnn.params.named_tensors"
local network_input = require "bnn.autodiff.network_input"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local pytree = require "bnn.params.pytree"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"
local trace_call = require "bnn.autodiff.trace_call"
local trace_model = require "bnn.autodiff.trace_model"

local M = {}

local Net = {__name = "bnn.net"}
Net.__index = Net

function Net.__tostring(self)
  return strings.message("net: %s", trace_call.place(self.forward))
end

local layers_of = setmetatable({}, {__mode = "k"}) -- of nets that init has seen

--- Returns the layers of a net as its last init or summary called them: a list of {path=, text=,
-- shape= of the output for one row, or nil, multiply_adds= for it, parameters=, state= (numbers
-- that are no parameters) and weights= {{name, shape}, ...} of its own and of the layers within,
-- is_container=}; nil before that.
function M.layers(net) return layers_of[net] end

--- Makes a net answer `layers` as another one does.
function M.take_layers(net, other) layers_of[net] = layers_of[other] end

-- The inputs of a network, x itself or those of a part of a data set, checked.
local function inputs_of(what, x)
  if type(x) == "table" and x.x then x = x.x end
  if named_tensors.is_named(x) then return named_tensors.check(what .. ": x", x) end
  if pytree.leaf_kind(x) ~= "tensor" or x:dim() == 0 then
    fail.expected(what .. ": x", "a tensor [n, ...], tensors by name or a part of a data set", x)
  end
  return x
end

-- The tracer of one row of an input, of its type in a network.
local function record_row(rec, x)
  local shape = x:shape()
  shape[1] = 1
  return rec:rows(shape, network_input.dtype(x))
end

-- The parameters that a network asks for when it gets rows like those of x.
local function find_parameters(rec, net, x)
  local pass = {rec = rec, tracers = {}, entries = {}, layers = {}, train = false,
                statistics = "running"}
  local row = named_tensors.map(x, function(tensor) return record_row(rec, tensor) end)
  frame.run(pass, net.forward, row)
  pass.multiply_adds = math.tointeger(rec:flops())
  rec:abandon()
  layers_of[net] = pass.layers
  return (parameters.state_last(pass.entries)), pass.multiply_adds
end

--- Draws the initial parameters of a network.
--     local net = bnn.transform(function(h) return bnn.nn.linear(2)(h) end)
--     net:init(key, bnn.ones(1, 4))                     -- linear/w [4, 2], linear/b [2]
-- @param key key: tensor by tensor, key:fold(path) draws the values
-- @param x tensor [n, ...], tensors by name or part of a data set: only the shapes of a row and the
--   types matter
-- @return params
function Net:init(key, x)
  expect.key("net:init: key", key)
  local entries = trace_model.recording(find_parameters, self, inputs_of("net:init", x))
  local layout, tensors = parameters.layout(entries), {}
  for i, entry in ipairs(entries) do
    local shape = layout[i].shape
    tensors[entry.name] = expect.tensor(("net:init: initial value of '%s'"):format(entry.name),
      entry.init(key:fold(entry.name), shape), "a tensor " .. shapes.text(shape))
  end
  return parameters.pack(layout, tensors)
end

--- Summarises a network for inputs like x: its layers, what comes out of each, their parameters,
-- and the multiply-adds of their products (linear, conv2d, mm) for one example. Printed, it is a
-- table.
--     local net = bnn.nn.sequential{bnn.nn.linear(3), bnn.nn.relu(), bnn.nn.linear(2)}
--     local summary = net:summary(bnn.ones(1, 4))
--     local total = summary.parameters --> 23
--     print(summary)
-- @param x tensor [n, ...], tensors by name or part of a data set: only the shapes of a row and the
--   types matter
-- @return table:
--   parameters     how many there are, each once, and `state`, running statistics beside them
--   multiply_adds  of a prediction for one example, and `flops`, twice as many
--   layers         a list of {path=, text=, shape= (of the output for one example; nil if that is
--                  no tensor), parameters=, state=, multiply_adds=}, without the containers
function Net:summary(x)
  local entries, multiply_adds =
    trace_model.recording(find_parameters, self, inputs_of("net:summary", x))
  return net_summary.new(self, layers_of[self], entries, multiply_adds)
end

-- Params, or a plain table of tensors by path.
local function is_params(value)
  return parameters.is(value) or type(value) == "table" and not getmetatable(value)
end

-- Raises unless an input is a tensor, or all of several by name are.
local function check_input(what, x)
  local wanted = named_tensors.is_named(x) and "a tensor" or "a tensor [n, ...] or tensors by name"
  named_tensors.each(what, x, function(one, own) expect.tensor(own, one, wanted) end)
  if x == nil then fail.expected(what, wanted, x) end
end

--- Computes the network's output, or outputs if it returns several. uint8 inputs are images: they
-- become x / 255; other types reach the network unchanged, in init, steps and predictions too.
--     net:apply(params, x)                              -- x [32, 28, 28] -> [32, 10]
--     net:apply(params, x, {key = key, train = true})   -- with dropout, if it has any
-- Parameters are values: batch_norm's running statistics stay as they are. Steps change them, and
-- bnn.update_statistics makes new ones.
-- @param params as init returns them, or any table of tensors by path
-- @param x tensor [n, ...], or tensors by name, {image = [n, ...], table = [n, ...]}
-- @param opts table:
--   key         for dropout
--   train       whether it is trained, false: bnn.nn.is_training() inside
--   statistics  by which batch_norm normalises: "batch" or "running"; default "batch" while
--               training. "running" beside train = true trains a network whose statistics stay as
--               they are
-- @return what the network returns
function Net:apply(params, x, opts)
  opts = options.check("net:apply", opts, {
    key = "key", train = {type = "boolean", default = false},
    statistics = {type = "string", choices = {"batch", "running"}},
  })
  if not is_params(params) then
    fail.expected("net:apply: params", "params, as net:init gives them", params)
  end
  check_input("net:apply: x", x)
  x = network_input.seen(x)
  local statistics = opts.statistics or opts.train and "batch" or "running"
  local pass = {params = params, key = opts.key, train = opts.train, statistics = statistics}
  return frame.run(pass, self.forward, x)
end

--- Makes a network from a function of its input, as Haiku's transform: layers that are made and
-- called inside get paths and parameters.
--     net = bnn.transform(function(x) return bnn.nn.linear(10)(bnn.nn.linear(64)(x):relu()) end)
--     params = net:init(key, bnn.ones(1, 20))           -- linear/w, linear/b, linear_1/w, ...
--     net:apply(params, bnn.ones(5, 20))                -- [5, 10]
-- Of data with inputs by name x is a table of them; a network of several targets returns a table of
-- outputs by name:
--     local two = bnn.transform(function(inputs)
--       local h = bnn.nn.linear(8)(inputs.size):tanh() + bnn.nn.linear(8)(inputs.price)
--       return {kind = bnn.nn.linear(3)(h), age = bnn.nn.linear(1)(h)}
--     end)
--     two:init(key, {size = bnn.ones(1, 2), price = bnn.ones(1, 1)}):numel()     -- 78
-- @param f function(x) -> y, or several values
-- @return net with init and apply
function M.transform(f)
  if type(f) ~= "function" then fail.expected("bnn.transform: f", "a function", f) end
  return setmetatable({forward = f}, Net)
end

expect_model.check_methods(Net, "net", expect_model.has "forward")

return M
