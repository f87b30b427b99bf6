--- Networks: layers as values, and `transform`, which makes init and apply of a function.
--
-- A layer is a value that can be called on a tensor inside a network: `bnn.nn.linear(64)(x)`. A net
-- has init(key, x) -> params and apply(params, x [, {key=, train=}]) -> y; any layer is a net by
-- itself. Paths are Haiku's: in a container layers count from 0, "mlp/linear_0/w"; in a function
-- the first has no number, "linear/w", "linear_1/w". A layer value called twice shares its weights.
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local network_input = require "bnn.autodiff.network_input"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local trace_model = require "bnn.autodiff.trace_model"
local renamed = require "bnn.base.renamed"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"
local trace_call = require "bnn.autodiff.trace_call"
local pytree = require "bnn.params.pytree"

local M = {docs = {}}

-- In force while a layer or a network is called: a frame,
--   path, x     the module that is called, its input; a container's `numbered` is true
--   entry       place of a plain function in its container while it is called, from 0
--   pass        the init or apply that it belongs to:
--     params      apply: where tensors are looked up    shapes, rec   init: what is asked for
--     tracers     init: path -> tensor                  taken         names that are given out
--     names       layer value -> its path               key, train    of apply's options
--     calls       path -> calls of a dropout layer
local current = core.scope()

-- The output of a net's function for x.
local function run_pass(pass, forward, x)
  pass.taken, pass.names, pass.calls = {}, {}, {}
  return current:run({path = "", pass = pass}, forward, x)
end

local function frame_of(what)
  local frame = current:value()
  if frame then return frame end
  error(what .. ": a layer is called inside a network, bnn.transform(function(x) ... end); by "
    .. "itself it has init and apply", 3)
end

-- A path below the current one that nobody has yet: kind, kind_1, ... or in containers kind_0,
-- kind_1, ...
local function new_path(frame, kind)
  local base = frame.path == "" and kind or frame.path .. "/" .. kind
  local taken = frame.pass.taken
  local count = taken[base] or 0
  taken[base] = count + 1
  if count == 0 and not frame.numbered then return base end
  return base .. "_" .. count
end

-- Raises unless a parameter has the shape that its layer asks for.
local function check_parameter(frame, name, path, tensor, shape)
  if tensor == nil then error(strings.message("the parameters lack '%s'", path), 0) end
  if shapes.equal(tensor, shape) then return end
  local x = frame.x and (" for x %s"):format(shapes.text(frame.x)) or ""
  error(strings.message("%s: %s is %s, wanted %s%s",
    frame.path == "" and "network" or frame.path, name,
    shapes.text(tensor), shapes.text(shape), x), 0)
end

--- A parameter of the layer that is being called.
-- @param name string: "w" gives the path "mlp/linear_0/w"
-- @param shape list
-- @param init function(key, shape) -> tensor of that shape
function M.parameter(name, shape, init)
  expect.string("bnn.nn.parameter: name", name)
  expect.shape("bnn.nn.parameter: shape", shape)
  local frame = frame_of("parameter " .. name)
  if not options.accept(init, "function") then
    error(strings.message(
      "parameter %s: init is a %s, a function (key, shape) -> tensor is wanted", name,
      type(init)), 2)
  end
  local path = frame.path == "" and name or frame.path .. "/" .. name
  local pass = frame.pass
  local tensor = (pass.tracers or pass.params)[path]
  if tensor ~= nil or not pass.rec then
    check_parameter(frame, name, path, tensor, shape)
    return tensor
  end
  local tracer = pass.rec:input(shape)
  pass.tracers[path] = tracer
  pass.shapes[#pass.shapes + 1] = {name = path, shape = shape, init = init}
  return tracer
end

--- The path of the layer that is being called, such as "mlp/linear_0", for messages.
function M.path()
  local frame = current:value()
  return frame and frame.path or ""
end

-- Where an op that fails is: errors ask for it (success does not).
core.on_failure(function()
  local frame = current:value()
  if not frame then return "" end
  local path = frame.path == "" and "network" or frame.path
  return frame.entry and ("%s/function_%d"):format(path, frame.entry) or path
end)

-- ---- initial values ----

-- Truncated normal over the square root of the product of dims from..to.
local function scaled_normal(key, shape, from, to)
  local fan_in = 1
  for i = from, to do fan_in = fan_in * shape[i] end
  return core.truncated(key, shape) / math.sqrt(math.max(fan_in, 1))
end

-- Raises where a user calls an initial value with something else than a key and a shape.
local function check_initial(name, key, shape)
  expect.key(name .. ": key", key)
  expect.shape(name .. ": shape", shape)
end

--- Truncated normal on [-2, 2], not rescaled, over sqrt(fan_in): Haiku's default for linear layers
-- (standard deviation 0.8796 / sqrt(fan_in)). fan_in is the product of all dims but the last.
function M.truncated_normal(key, shape)
  check_initial("bnn.nn.truncated_normal", key, shape)
  return scaled_normal(key, shape, 1, #shape - 1)
end

--- The same for convolution kernels [out, channels, h, w]: fan_in is the product of all dims but
-- the first.
function M.truncated_normal_kernel(key, shape)
  check_initial("bnn.nn.truncated_normal_kernel", key, shape)
  return scaled_normal(key, shape, 2, #shape)
end

--- Zeros, the default of biases.
function M.zeros(_, shape) return core.zeros(expect.shape("bnn.nn.zeros: shape", shape)) end

--- Standard normal, the default of embeddings (as PyTorch's).
function M.normal(key, shape)
  check_initial("bnn.nn.normal", key, shape)
  return core.randn(key, shape)
end

--- Ones, the default of gains.
function M.ones(_, shape) return core.ones(expect.shape("bnn.nn.ones: shape", shape)) end

-- ---- nets ----

local Net = {__name = "bnn.net"}
Net.__index = Net

function Net.__tostring(self)
  return strings.message("net: %s", trace_call.place(self.forward))
end

-- The shape of one row of x, a tensor or a part of a data set (its x), and its type in a network.
local function one_row(x)
  if type(x) == "table" and x.x then x = x.x end
  local shape = pytree.leaf_kind(x) == "tensor" and x:shape()
  if not shape or #shape == 0 then
    fail.expected("net:init: x", "a tensor [n, ...] or a part of a data set", x)
  end
  shape[1] = 1
  return shape, network_input.dtype(x)
end

-- The first values of a parameter, which its layer's init gives.
local function first_value(key, entry, shape)
  local tensor = entry.init(key:fold(entry.name), shape)
  if pytree.leaf_kind(tensor) == "tensor" then return tensor end
  error(strings.message("init: the init function of '%s' gives a %s, a tensor %s is wanted",
    entry.name,
    type(tensor), shapes.text(shape)), 3)
end

-- What parameters a net asks for when it gets rows of this shape and type.
local function parameter_shapes(rec, net, shape, dtype)
  local pass = {rec = rec, shapes = {}, tracers = {}, train = false}
  run_pass(pass, net.forward, rec:rows(shape, dtype))
  rec:abandon()
  return pass.shapes
end

--- Initial parameters of a network.
-- @param key key: tensor by tensor, key:fold(path) draws the values
-- @param x tensor [n, ...] or part of a data set: only the shape of a row and the type matter
-- @return params
function Net:init(key, x)
  if pytree.leaf_kind(key) ~= "key" then
    fail.expected("net:init", "a key first", key)
  end
  local entries = trace_model.recording(parameter_shapes, self, one_row(x))
  local layout = parameters.layout(entries)
  local tensors = {}
  for i, entry in ipairs(entries) do
    tensors[entry.name] = first_value(key, entry, layout[i].shape)
  end
  return parameters.pack(layout, tensors)
end

-- Params, or a plain table of tensors by path.
local function is_params(value)
  return parameters.is(value) or type(value) == "table" and not getmetatable(value)
end

--- The network's output, or outputs when it gives several. uint8 inputs are images: they become
-- x / 255; other types reach the network as they are, in init, steps and predictions too.
-- @param params as init gives them, or any table of tensors by path
-- @param x tensor [n, ...]
-- @param opts table: key= (for dropout), train=false
function Net:apply(params, x, opts)
  opts = options.check("apply", opts, {key = "key", train = {type = "boolean", default = false}})
  if not is_params(params) then
    fail.expected("net:apply", "params first, as net:init gives them", params)
  end
  if pytree.leaf_kind(x) ~= "tensor" then fail.expected("net:apply: x", "a tensor [n, ...]", x) end
  x = network_input.seen(x)
  return run_pass({params = params, key = opts.key, train = opts.train}, self.forward, x)
end

--- A network from a function of its input, as Haiku's transform: layers made and called inside are
-- given paths and parameters.
--     net = bnn.transform(function(x) return bnn.nn.linear(10)(bnn.nn.linear(64)(x):relu()) end)
function M.transform(f)
  if type(f) ~= "function" then error("transform: a function is wanted, got " .. type(f), 2) end
  return setmetatable({forward = f}, Net)
end

-- ---- layers ----

local Layer = {__name = "bnn.layer"}
Layer.__index = Layer

function Layer.__call(self, x)
  local frame = frame_of(self.kind)
  local pass = frame.pass
  local path = pass.names[self]
  if not path then
    path = new_path(frame, self.kind)
    pass.names[self] = path
  end
  if pytree.leaf_kind(x) ~= "tensor" then
    error(strings.message("%s: x is a %s, a tensor is wanted", path, type(x)), 2)
  end
  return current:run({path = path, x = x, numbered = self.container, pass = pass}, self.forward, x)
end

function Layer.__tostring(self) return self.text end

-- A layer as a net of its own: its path is its kind.
local function as_net(self)
  return M.transform(function(x) return self(x) end)
end

--- A layer by itself is a net: init(key, x) -> params.
function Layer:init(key, x) return as_net(self):init(key, x) end

--- A layer by itself is a net: apply(params, x [, opts]) -> y.
function Layer:apply(params, x, opts) return as_net(self):apply(params, x, opts) end

local function layer(kind, text, forward, container)
  return setmetatable({kind = kind, text = text, forward = forward, container = container}, Layer)
end

-- A layer that remembers the call it was made by, for to_config; options that only matter for
-- initial values are left out.
local function made(l, ...)
  l.call = {...}
  return l
end

-- "{stride=2, bias=false}" of a list of {name, value, default}, without those at their defaults.
local function changed_text(list)
  local texts = {}
  for _, item in ipairs(list) do
    local value, default = item[2], item[3]
    if value ~= default then texts[#texts + 1] = item[1] .. "=" .. number.text(value) end
  end
  return texts[1] and ", {" .. table.concat(texts, ", ") .. "}" or ""
end

-- n as an integer of min .. 2^31 - 1, or nil.
local function to_count(n, min)
  local count = math.type(n) and math.tointeger(n)
  return count and count >= min and count < 2 ^ 31 and count or nil
end

local function check_size(what, n, unit)
  local size = to_count(n, 1)
  if size then return size end
  local fault = "%s: %s %s, an integer of at least 1 is wanted"
  error(fault:format(what, number.text(n), unit or "units"), 3)
end

--- A linear layer: y = x w + b, x [..., in] -> y [..., out]. Parameters w [in, out], b [out].
-- @param out integer
-- @param opts table: bias=true, w_init=bnn.nn.truncated_normal, b_init=bnn.nn.zeros, functions
--   (key, shape) -> tensor
function M.linear(out, opts)
  out = check_size("linear", out)
  opts = options.check("linear", opts, {
    bias = {type = "boolean", default = true},
    w_init = {type = "function", default = M.truncated_normal},
    b_init = {type = "function", default = M.zeros},
  })
  local text = ("linear(%d%s)"):format(out, changed_text{{"bias", opts.bias, true}})
  return made(layer("linear", text, function(x)
    local width = x:size(-1)
    local w = M.parameter("w", {width, out}, opts.w_init)
    if not opts.bias then return core.ops.linear(x, w, core.zeros({out})) end
    return core.ops.linear(x, w, M.parameter("b", {out}, opts.b_init))
  end), out, {bias = opts.bias})
end

-- Raises unless x holds ids of an embedding; their values are looked at when it runs.
local function check_ids(x, count)
  local dtype = x:dtype()
  if dtype == "i32" or dtype == "i64" then return end
  local note = dtype == core.real and "; uint8 inputs become images, x / 255" or ""
  local fault = '%s: x is %s, wanted ids 1..%d as i32 or i64: x:to("i32") converts%s'
  error(fault:format(M.path(), dtype, count, note), 0)
end

--- An embedding: ids 1..count (i32 or i64) of any shape, such as tokens [n, t] -> rows of a table,
-- [n, t, d]. Ids count from 1, as positions do; x + 1 shifts those that count from 0. Parameters
-- w [count, d]. An id outside of the table is an error that names it, in a step before anything is
-- changed.
--     local function mean(x) return x:mean(2) end
--     bnn.nn.sequential{bnn.nn.embedding(5000, 32), mean, bnn.nn.linear(2)}
-- @param count integer: rows of the table
-- @param d integer: features of each
-- @param opts table: w_init=bnn.nn.normal, N(0, 1) as PyTorch's, a function (key, shape) -> tensor
function M.embedding(count, d, opts)
  count, d = check_size("embedding", count, "rows"), check_size("embedding", d, "features")
  opts = options.check("embedding", opts, {w_init = {type = "function", default = M.normal}})
  return made(layer("embedding", ("embedding(%d, %d)"):format(count, d), function(x)
    check_ids(x, count)
    return core.ops.index(M.parameter("w", {count, d}, opts.w_init), x)
  end), count, d)
end

-- ---- images ----

-- A number for rows and columns, or a list of the two, as {rows, columns}.
local function check_pair(what, value, min)
  local rows, columns = value, value
  if type(value) == "table" and #value == 2 then rows, columns = value[1], value[2] end
  rows, columns = to_count(rows, min), to_count(columns, min)
  if rows and columns then return {rows, columns} end
  local list = type(value) == "table" and "{" .. number.list(value) .. "}"
  local fault = "%s is %s, an integer of at least %d is wanted, or a list of two: {rows, columns}"
  error(fault:format(what, list or number.text(value), min), 4)
end

-- The window of a layer: size, stride and padding, pairs each.
local function check_window(what, size, stride, padding)
  return {
    size = check_pair(what .. ": the size", size, 1),
    stride = check_pair(what .. ": stride", stride or size, 1),
    padding = check_pair(what .. ": padding", padding or 0, 0),
  }
end

-- Padding with which images keep their size under a stride of 1.
local function same_padding(what, size)
  size = check_pair(what .. ": the size", size, 1)
  if size[1] % 2 == 1 and size[2] % 2 == 1 then return {size[1] // 2, size[2] // 2} end
  local fault = '%s: padding = "same" is for kernels of odd sizes, this one is {%d, %d}'
  error(fault:format(what, size[1], size[2]), 3)
end

-- [n, h, w] as images of one channel; raises when the window is larger than what it slides over.
local function images(x, window)
  local shape = x:shape()
  if #shape == 3 then
    x = x:reshape(shape[1], 1, shape[2], shape[3])
    shape = x:shape()
  end
  if #shape ~= 4 then
    error(strings.message("%s: x is %s, wanted [n, channels, h, w] or [n, h, w]", M.path(),
      shapes.text(x)), 0)
  end
  local size, padding = window.size, window.padding
  if shape[3] + 2 * padding[1] < size[1] or shape[4] + 2 * padding[2] < size[2] then
    error(strings.message(
      "%s: x is %s, a window of {%d, %d} is larger than these images with padding {%d, %d}",
      M.path(), shapes.text(x), size[1], size[2], padding[1], padding[2]), 0)
  end
  return x, shape[2]
end

local function pair_text(pair)
  return pair[1] == pair[2] and tostring(pair[1]) or ("{%d, %d}"):format(pair[1], pair[2])
end

-- "3", "3, {stride=2, padding=1}": a window, with what differs from a layer's defaults.
local function window_text(window, stride, bias)
  return pair_text(window.size) .. changed_text{
    {"stride", pair_text(window.stride), pair_text(stride)},
    {"padding", pair_text(window.padding), "0"}, {"bias", bias, true},
  }
end

--- A convolution: images [n, channels, h, w] -> [n, out, ...]; images [n, h, w] have one channel.
-- Parameters w [out, channels, kh, kw], b [out].
--     bnn.nn.conv2d(16, 5)     bnn.nn.conv2d(32, {3, 5}, {stride = 2, padding = 1})
-- @param out integer: kernels, the channels of the result
-- @param kernel integer, or {rows, columns}
-- @param opts table: stride=1, padding=0 (integers or {rows, columns}; padding "same" keeps the
--   images' size under a stride of 1), bias=true, w_init=bnn.nn.truncated_normal_kernel,
--   b_init=bnn.nn.zeros, functions (key, shape) -> tensor
function M.conv2d(out, kernel, opts)
  out = check_size("conv2d", out)
  opts = options.check("conv2d", opts, {
    stride = {type = "integer|table", default = 1},
    padding = {type = "integer|table|string", default = 0},
    bias = {type = "boolean", default = true},
    w_init = {type = "function", default = M.truncated_normal_kernel},
    b_init = {type = "function", default = M.zeros},
  })
  local padding = opts.padding
  if padding == "same" then padding = same_padding("conv2d", kernel) end
  local window = check_window("conv2d", kernel, opts.stride, padding)
  local size = window.size
  local text = ("conv2d(%d, %s)"):format(out, window_text(window, {1, 1}, opts.bias))
  local as_given = {stride = window.stride, padding = window.padding, bias = opts.bias}
  return made(layer("conv2d", text, function(x)
    local channels
    x, channels = images(x, window)
    local w = M.parameter("w", {out, channels, size[1], size[2]}, opts.w_init)
    local b = opts.bias and M.parameter("b", {out}, opts.b_init) or core.zeros({out})
    return core.ops.conv2d(x, w, b, window.stride, window.padding)
  end), out, size, as_given)
end

-- A layer of a pooling op; a tail call of what the user calls, whose line is that of errors.
local function pool(kind, op, size, opts)
  opts = options.check(kind, opts, {stride = "integer|table", padding = "integer|table"})
  local window = check_window(kind, size, opts.stride, opts.padding)
  local text = ("%s(%s)"):format(kind, window_text(window, window.size, true))
  for k = 1, 2 do
    if window.padding[k] > window.size[k] // 2 then
      local fault = "%s: padding is {%d, %d}, at most half the size {%d, %d} is wanted"
      error(fault:format(kind, window.padding[1], window.padding[2], window.size[1],
        window.size[2]), 2)
    end
  end
  return made(layer(kind, text, function(x)
    return op(images(x, window), window.size, window.stride, window.padding)
  end), window.size, {stride = window.stride, padding = window.padding})
end

--- The largest number of each window: images [n, channels, h, w] (or [n, h, w]) -> [n, channels,
-- ...]. A window with a NaN gives NaN.
-- @param size integer, or {rows, columns}
-- @param opts table: stride=size, padding=0, integers or {rows, columns}; padding, at most half the
--   size, is never the largest
function M.max_pool(size, opts) return pool("max_pool", core.ops.max_pool2d, size, opts) end

--- The mean of each window: images [n, channels, h, w] (or [n, h, w]) -> [n, channels, ...].
-- @param size integer, or {rows, columns}
-- @param opts table: stride=size, padding=0, integers or {rows, columns}; padding counts as zeros,
--   as torch has it by default
function M.avg_pool(size, opts) return pool("avg_pool", core.ops.avg_pool2d, size, opts) end

--- Layer normalisation (Ba et al. 2016): the last axis of x [..., d] to mean 0 and variance 1,
-- times a gain, plus a bias. Parameters gain [d], bias [d].
-- @param opts table: eps=1e-5, added to the variance
function M.layer_norm(opts)
  opts = options.check("layer_norm", opts, {eps = {type = "number", min = 0, default = 1e-5}})
  return made(layer("layer_norm", "layer_norm()", function(x)
    local width = x:size(-1)
    local gain = M.parameter("gain", {width}, M.ones)
    return core.ops.layer_norm(x, gain, M.parameter("bias", {width}, M.zeros), opts.eps)
  end), {eps = opts.eps})
end

-- Elementwise layers are the ops of the same name: how many numbers each takes at most.
local ELEMENTWISE = {
  relu = 0, tanh = 0, sigmoid = 0, softplus = 0, gelu = 0, leaky_relu = 1, sin = 0, cos = 0,
}

-- Raises unless these are arguments of an elementwise layer.
local function check_numbers(name, args)
  local most, n = ELEMENTWISE[name], args.n
  while n > 0 and args[n] == nil do n = n - 1 end
  if n > most then
    error(strings.message("%s: %d argument%s, at most %d is wanted", name, n, n > 1 and "s" or "",
      most), 3)
  end
  if args[1] == nil or options.accept(args[1], "number") then return end
  error(strings.message("%s: %s, a number is wanted", name, number.text(args[1])), 3)
end

for name, most in pairs(ELEMENTWISE) do
  local call = name .. (most > 0 and "(slope = 0.01)" or "()")
  M.docs[name] = call .. ": the op of that name as a layer, elementwise"
  M[name] = function(...)
    local args = table.pack(...)
    check_numbers(name, args)
    local function forward(x) return core.ops[name](x, table.unpack(args)) end
    local text = args[1] and number.format("%s(%g)", name, args[1]) or name .. "()"
    return made(layer(name, text, forward), ...)
  end
end

--- Dropout (Srivastava et al. 2014): while training each element is zero with probability p, and
-- the others are divided by 1 - p; otherwise x itself. The mask is a function of apply's key, the
-- path, and how often the layer has been called: a layer that is used twice has two masks.
-- @param p number in [0, 1)
function M.dropout(p)
  if type(p) ~= "number" or not (p >= 0 and p < 1) then
    error(strings.message("dropout: p is %s, a number in [0, 1) is wanted", number.text(p)), 2)
  end
  return made(layer("dropout", number.format("dropout(%g)", p), function(x)
    local frame = current:value()
    local path, pass = frame.path, frame.pass
    if not pass.train or pass.rec then return x end
    if not pass.key then error(path .. ": apply needs a key while training", 0) end
    local call = (pass.calls[path] or 0) + 1
    pass.calls[path] = call
    local key = pass.key:fold(path)
    return core.ops.dropout(x, call == 1 and key or key:fold(call), p)
  end), p)
end

--- Makes [n, a, b, ...] into [n, a b ...].
function M.flatten()
  return made(layer("flatten", "flatten()", function(x)
    local shape, width = x:shape(), 1
    for i = 2, #shape do width = width * shape[i] end
    return #shape == 2 and x or x:reshape(shape[1], width)
  end))
end

-- Entry i of a sequential called on x; a function has a place in messages instead of a path.
local function call_entry(l, i, x)
  current:value().entry = getmetatable(l) ~= Layer and i - 1 or nil
  return l(x)
end

-- Raises unless x is what an entry may give: a tensor, or behind the last one anything at all.
local function check_entry(l, i, last, x, ...)
  if pytree.leaf_kind(x) == "tensor" or last and x ~= nil then return x, ... end
  local frame = current:value()
  local path = frame.pass.names[l] or ("%s/function_%d"):format(frame.path, i - 1)
  local what = x == nil and "nothing" or "a " .. type(x)
  error(strings.message("%s gives %s, a tensor is wanted", path, what), 0)
end

--- Layers (or functions of a tensor) one after the other; the last may give several values.
--     bnn.nn.sequential{bnn.nn.flatten(), bnn.nn.linear(64), bnn.nn.relu(), bnn.nn.linear(10)}
function M.sequential(layers)
  if type(layers) ~= "table" or #layers == 0 then
    error("sequential: a list of layers is wanted", 2)
  end
  local names = {}
  for i, l in ipairs(layers) do
    if not options.accept(l, "function") then -- layers can be called, and so can bnn.log
      error(strings.message("sequential: entry %d is a %s, a layer is wanted", i, type(l)), 2)
    end
    names[i] = getmetatable(l) == Layer and tostring(l) or "function"
  end
  return made(layer("sequential", "sequential{" .. table.concat(names, ", ") .. "}", function(x)
    local n = #layers
    for i = 1, n - 1 do x = check_entry(layers[i], i, false, call_entry(layers[i], i, x)) end
    return check_entry(layers[n], n, true, call_entry(layers[n], n, x))
  end, true), layers)
end

-- Raises unless an activation gave a tensor.
local function check_activation(x)
  if pytree.leaf_kind(x) == "tensor" then return x end
  error(("%s: activation: expected a tensor, got %s"):format(M.path(), kinds.shown(x)), 0)
end

--- A multi-layer perceptron: flatten, then linear layers with an activation between them.
--     bnn.nn.mlp{64, 64, 10}
--     bnn.nn.mlp{64, 64, 10, activation = "tanh"}
--     bnn.nn.mlp{64, 64, 10, activation = bnn.nn.leaky_relu(0.1)}
-- Parameters: mlp/linear_0/w, mlp/linear_0/b, ...
-- @param opts table: the sizes of the layers; activation="relu", the name of an elementwise layer,
--   a layer (one that has parameters shares them between its places), or a function of a tensor
function M.mlp(opts)
  opts = options.check("mlp", opts, {
    {type = "integer", min = 1},
    activation = {type = "string|layer|function", default = "relu"},
  })
  if #opts == 0 then error("mlp: a list of layer sizes is wanted, such as {64, 64, 10}", 2) end
  local activation = opts.activation
  if type(activation) == "string" then
    local _, fault = options.accept(activation, {type = "string",
                                                 choices = options.sorted_names(ELEMENTWISE)})
    if fault then error(('mlp: activation = "%s": %s'):format(activation, fault), 2) end
    activation = core.ops[activation]
  end
  local layers, flat = {}, M.flatten()
  for i, width in ipairs(opts) do layers[i] = M.linear(width) end
  local text = tostring(opts.activation):gsub("^function.*", "function")
  local suffix = text == "relu" and "" or ", activation=" .. text
  return made(layer("mlp", ("mlp{%s%s}"):format(table.concat(opts, ", "), suffix), function(x)
    x = flat(x)
    for i, l in ipairs(layers) do
      x = l(x)
      if i < #layers then x = check_activation(activation(x)) end
    end
    return x
  end, true), opts)
end

expect_model.check_methods(Net, "net", expect_model.has "forward")
expect_model.check_methods(Layer, "layer", expect_model.has "forward")

-- ---- networks as data ----

local DEPTH_MAX = 40 -- of layers in layers

local layer_config

-- An argument of a layer's call as data: numbers and words, tables of them, layers; nil for what a
-- file does not hold, a function or an object. Lists come before names, so that from_config
-- meets layers in the same order.
local function as_data(value, seen)
  if getmetatable(value) == Layer then return layer_config(value, seen) end
  if type(value) == "function" or type(value) == "userdata" then return nil end
  if type(value) ~= "table" then return value end
  local copy = {}
  for i, item in ipairs(value) do
    copy[i] = as_data(item, seen)
    if copy[i] == nil then return nil end
  end
  for _, name in ipairs(options.sorted_names(value)) do
    copy[name] = as_data(value[name], seen)
    if copy[name] == nil then return nil end
  end
  return copy
end

-- A layer that has come before, {kind = "same", args = {k}}, is the k-th that has begun.
function layer_config(l, seen)
  if not l.call then return nil end
  if seen[l] then return {kind = "same", args = {seen[l]}} end
  seen.count = seen.count + 1
  seen[l] = seen.count
  local args = as_data(l.call, seen)
  return args and {kind = l.kind, args = args}
end

--- A network as data, {kind = "mlp", args = {...}}, from which from_config makes it
-- again; nil for one that is made by a function (transform), or has one in it.
-- @param net a layer
function M.to_config(net)
  if getmetatable(net) ~= Layer then return nil end
  return layer_config(net, {count = 0})
end

-- The kinds of layers that there are.
local KINDS = {}
for _, name in ipairs{
  "linear", "embedding", "conv2d", "max_pool", "avg_pool", "layer_norm", "dropout", "flatten",
  "sequential", "mlp",
} do
  KINDS[name] = true
end
for name in pairs(ELEMENTWISE) do KINDS[name] = true end

local make_layer

-- The argument that data stand for.
local function of_data(value, seen)
  if type(value) ~= "table" then return value end
  if type(value.kind) == "string" then return make_layer(value, seen) end
  local copy = {}
  for i, item in ipairs(value) do copy[i] = of_data(item, seen) end
  for _, name in ipairs(options.sorted_names(value)) do copy[name] = of_data(value[name], seen) end
  return copy
end

-- The layer that data describe; raises.
function make_layer(data, seen)
  local kind, args = data.kind, data.args
  if type(args) ~= "table" then error(strings.message("layer '%s' has no args", kind), 0) end
  if kind == "same" then
    return seen.made[args[1]]
      or error(strings.message("layer %s comes before it is made", tostring(args[1])), 0)
  end
  if not KINDS[kind] then error(strings.message("no layer of bnn.nn is called '%s'", kind), 0) end
  if seen.depth >= DEPTH_MAX then
    error(("layers are nested more than %d deep"):format(DEPTH_MAX), 0)
  end
  seen.count, seen.depth = seen.count + 1, seen.depth + 1
  local own = seen.count
  local net = M[kind](table.unpack(of_data(args, seen)))
  seen.made[own], seen.depth = net, seen.depth - 1
  return net
end

--- The network that data describe; or nil, message.
-- @param data as to_config gives it, from anywhere
function M.from_config(data)
  if type(data) ~= "table" or type(data.kind) ~= "string" then
    return nil, "no network of bnn.nn is described"
  end
  local ok, net = pcall(make_layer, data, {count = 0, depth = 0, made = {}})
  if ok then return net end
  if type(net) ~= "string" then error(net, 0) end -- an interrupt
  return nil, "its network: " .. net:gsub("^[^\n]-%.lua:%d+: ", "")
end

renamed.functions(M, "bnn.nn", {of = "from_config", describe = "to_config"})

return M
