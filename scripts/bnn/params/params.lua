--- The parameters of a network: named tensors that are views of one flat buffer.
--
-- `params["mlp/linear_0/w"]` is a tensor; `pairs(params)` visits the tensors in order.
-- `params.flat` is the whole buffer [size]; in a function that grad, compile, vmap or an objective
-- records, it is the concatenation of the tensors, and gradients flow through it to them.
-- Parameters are values: `params - 0.1 * grads` makes new ones.
--
-- A tensor whose name begins with running_, in whatever layer, is state: no weight, but something
-- that steps keep account of. It has no prior, no distribution and no gradient.
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local core = require "bnn.core"
local renamed = require "bnn.base.renamed"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local Meta = {__name = "bnn.params"}

local function is_plain(value) return type(value) == "table" and not getmetatable(value) end

-- Whether a value is a list of tables that each have this field, as layouts are.
local function is_list_with(value, field)
  if not is_plain(value) then return false end
  for _, entry in ipairs(value) do
    if not is_plain(entry) or entry[field] == nil then return false end
  end
  return true
end

-- What a Params object knows besides its tensors, out of the way of their names.
local inside = setmetatable({}, {__mode = "k"})

--- Lays out tensors one after the other.
--     local entries = {{name = "w", shape = {2, 3}}, {name = "b", shape = {3}}}
--     local layout, size = bnn.params.layout(entries)
--     local offset = layout[2].offset --> 6
-- @param entries list of {name=, shape={...}}
-- @return list of {name=, shape=, size=, offset=} with offsets from 0, and the total size
function M.layout(entries)
  if not is_list_with(entries, "shape") then
    fail.expected("bnn.params.layout: entries", "a list of {name=, shape=}", entries)
  end
  local layout, offset = {}, 0
  for i, entry in ipairs(entries) do
    local size = 1
    for _, d in ipairs(entry.shape) do size = size * d end
    layout[i] = {name = entry.name, shape = entry.shape, size = size, offset = offset}
    offset = offset + size
  end
  return layout, offset
end

--- Whether a path is that of state, such as the running statistics of a batch normalisation: its
-- name begins with running_.
--     bnn.params.is_state "batch_norm/running_mean" --> true
-- @param path string
-- @return boolean
-- Raises unless path is a string.
function M.is_state(path)
  expect.string("bnn.params.is_state: path", path)
  return path:match "[^/]*$":find "^running_" ~= nil
end

--- Sorts entries of a layout, or of what will be one, so that state comes last; the order is the
-- same otherwise.
--     local list = bnn.params.state_last{{name = "running_mean"}, {name = "gain"}}
--     local first = list[1].name --> "gain"
-- @param entries list of {name=, ...}
-- @return list, and how many of it are no state
function M.state_last(entries)
  if not is_list_with(entries, "name") then
    fail.expected("bnn.params.state_last: entries", "a list of {name=}", entries)
  end
  local list, state = {}, {}
  for _, entry in ipairs(entries) do
    local into = M.is_state(entry.name) and state or list
    into[#into + 1] = entry
  end
  local n = #list
  return table.move(state, 1, #state, n + 1, list), n
end

--- Makes parameters that view a flat tensor.
--     local layout, size = bnn.params.layout{{name = "w", shape = {2, 2}}}
--     local params = bnn.params.new(layout, bnn.arange(1, size))
--     print(params.w) --> {{1, 2}, {3, 4}}
-- @param layout as `layout` returns it
-- @param flat tensor [size]; the named tensors are views of it
-- @return Params
function M.new(layout, flat)
  if not is_list_with(layout, "offset") then
    fail.expected("bnn.params.new: layout", "a layout, as bnn.params.layout returns it", layout)
  end
  expect.tensor("bnn.params.new: flat", flat, "a tensor [size]")
  local tensors = {}
  for _, entry in ipairs(layout) do
    local part = flat:narrow(1, entry.offset + 1, entry.size)
    tensors[entry.name] = part:view(entry.shape)
  end
  local self = setmetatable({}, Meta)
  inside[self] = {layout = layout, flat = flat, tensors = tensors}
  return self
end

--- Makes parameters of tensors by name without copying them; while a program is recorded, the
-- tensors are values of the program.
--     local layout = bnn.params.layout{{name = "w", shape = {2}}}
--     print(bnn.params.wrap(layout, {w = bnn.tensor{1, 2}}).w) --> {1, 2}
-- @param layout as bnn.params.layout returns it
-- @param tensors table name -> tensor of the shape in the layout
-- @return Params, without a buffer: bnn.params.has_buffer
function M.wrap(layout, tensors)
  if type(layout) ~= "table" then
    fail.expected("bnn.params.wrap: layout", "a layout, as bnn.params.layout returns it", layout)
  end
  local self = setmetatable({}, Meta)
  inside[self] = {layout = layout, tensors = tensors}
  return self
end

--- Whether a value is a Params object.
--     bnn.params.is{w = bnn.ones(2)} --> false
-- @param value any value
-- @return boolean
function M.is(value) return getmetatable(value) == Meta end

--- Returns the layout of parameters: a list of {name=, shape=, size=, offset=}.
--     for _, entry in ipairs(bnn.params.layout_of(params)) do print(entry.name, entry.size) end
-- @param params Params
-- @return list of {name=, shape=, size=, offset=}, offset counting elements from 0
function M.layout_of(params)
  if not inside[params or false] then fail.expected("bnn.params.layout_of", "params", params) end
  return inside[params].layout
end

--- Whether params lie in one buffer, as net:init makes them, so that training steps can change
-- them. Parts of other params (params:sub) may have none, and recorded params have none; clones
-- have one.
--     print(bnn.params.has_buffer(params)) -- true
-- @param params Params
-- @return boolean
function M.has_buffer(params)
  if not M.is(params) then fail.expected("bnn.params.has_buffer", "params", params) end
  return inside[params].flat ~= nil
end

--- Lists the sizes of the tensors of a layout.
--     local layout = bnn.params.layout{{name = "w", shape = {2, 3}}, {name = "b", shape = {3}}}
--     bnn.params.sizes(layout) --> {6, 3}
-- @param layout as bnn.params.layout returns it
-- @return list of integers: the elements of each tensor
function M.sizes(layout)
  if not is_list_with(layout, "size") then
    fail.expected("bnn.params.sizes: layout", "a layout, as bnn.params.layout returns it", layout)
  end
  local sizes = {}
  for i, entry in ipairs(layout) do sizes[i] = entry.size end
  return sizes
end

--- Joins any number of tensors along an axis (the op concat takes at most 32).
--     local rows = {}
--     for i = 1, 100 do rows[i] = bnn.full({1, 2}, i) end
--     bnn.params.concat(rows, 1) --> [100, 2]
-- @param parts list of tensors whose other sizes agree
-- @param axis integer, from 1
-- @return tensor, as long along the axis as all parts [n1 + n2 + ..., ...]
-- Raises if another size differs.
function M.concat(parts, axis)
  expect.plain_table("bnn.params.concat: parts", parts, "a list of tensors")
  while #parts > 1 do
    local joined = {}
    for i = 1, #parts, 32 do
      local some = table.move(parts, i, math.min(i + 31, #parts), 1, {})
      joined[#joined + 1] = core.ops.concat(some, axis)
    end
    parts = joined
  end
  return parts[1] or core.zeros({0})
end

--- Copies tensors by name into one new buffer.
--     local layout = bnn.params.layout{{name = "w", shape = {2}}, {name = "b", shape = {1}}}
--     local params = bnn.params.pack(layout, {w = bnn.tensor{1, 2}, b = bnn.tensor{3}})
--     print(params.flat) --> {1, 2, 3}
-- @param layout as bnn.params.layout returns it
-- @param tensors table name -> tensor of the shape in the layout
-- @return Params
-- Raises if a tensor lacks or has another shape.
function M.pack(layout, tensors)
  if not is_list_with(layout, "size") then
    fail.expected("bnn.params.pack: layout", "a layout, as bnn.params.layout returns it", layout)
  end
  if not is_plain(tensors) and not M.is(tensors) then
    fail.expected("bnn.params.pack: tensors", "a table of tensors by name", tensors)
  end
  local parts = {}
  for i, entry in ipairs(layout) do parts[i] = tensors[entry.name]:reshape(entry.size) end
  return M.new(layout, M.concat(parts, 1))
end

--- Merges the parameters of several networks, each under its name: encoder/linear/w, ...
-- params:sub "encoder" returns the parameters of one network.
--     local encoder, decoder = bnn.nn.linear(2), bnn.nn.linear(4)
--     local both = bnn.params.merge{
--       encoder = encoder:init(bnn.key(1), bnn.zeros(1, 4)),
--       decoder = decoder:init(bnn.key(2), bnn.zeros(1, 2)),
--     }
--     local w = both["encoder/linear/w"] --> [4, 2]
-- @param parts table: name -> Params
-- @return Params in new memory; networks in alphabetical order, and their state after all weights
function M.merge(parts)
  local names, entries, tensors = {}, {}, {}
  expect.plain_table("bnn.params.merge: parts", parts, "a table name -> params")
  for name, part in pairs(parts) do
    if type(name) ~= "string" or not M.is(part) then
      fail.expected("bnn.params.merge: parts", "a table name -> params",
        type(name) ~= "string" and parts or part)
    end
    names[#names + 1] = name
  end
  table.sort(names, strings.before)
  for _, name in ipairs(names) do
    for path, tensor in pairs(parts[name]) do
      path = name .. "/" .. path
      entries[#entries + 1], tensors[path] = {name = path, shape = tensor:shape()}, tensor
    end
  end
  return M.pack((M.layout(M.state_last(entries))), tensors)
end

local Params = {}

-- Entries of a layout below `name`, without it; whether they lie side by side.
local function entries_below(layout, name)
  local entries, first, next_offset = {}, nil, nil
  local adjacent = true
  for _, entry in ipairs(layout) do
    if entry.name:sub(1, #name + 1) == name .. "/" then
      adjacent = adjacent and (next_offset == nil or next_offset == entry.offset)
      first, next_offset = first or entry.offset, entry.offset + entry.size
      entries[#entries + 1] = {name = entry.name:sub(#name + 2), shape = entry.shape}
    end
  end
  return entries, first, adjacent
end

--- Returns the parameters below a name, under the rest of their paths, as views of the same memory:
-- what `merge` stored there.
--     local layer = params:sub "mlp"
--     print(layer["linear_0/w"]) -- [784, 8]
-- @param name string: "encoder"
-- @return Params
-- Raises if there is nothing below the name.
function Params:sub(name)
  expect.string("params:sub: name", name)
  local own, tensors = inside[self], {}
  local entries, first, adjacent = entries_below(own.layout, name)
  if #entries == 0 then fail("params:sub: name: there are no parameters below '%s'", name) end
  local layout, size = M.layout(entries)
  if own.flat and adjacent then return M.new(layout, own.flat:narrow(1, first + 1, size)) end
  for _, entry in ipairs(layout) do tensors[entry.name] = own.tensors[name .. "/" .. entry.name] end
  return M.wrap(layout, tensors)
end

--- Copies the parameters into new memory, which later training steps do not change.
--     local before = params:clone()
-- @return Params, in one buffer
function Params:clone()
  local own = inside[self]
  if own.flat then return M.new(own.layout, own.flat:clone()) end
  return M.pack(own.layout, own.tensors)
end

--- Counts the parameters.
--     local params = bnn.nn.linear(3):init(bnn.key(1), bnn.zeros(1, 2))
--     params:numel() --> 9
-- @return integer
function Params:numel()
  local last = inside[self].layout[#inside[self].layout]
  return last and last.offset + last.size or 0
end

--- Lists the names of the tensors, in order.
--     local params = bnn.nn.linear(3):init(bnn.key(1), bnn.zeros(1, 2))
--     params:names() --> {"linear/w", "linear/b"}
-- @return list of strings
function Params:names()
  local names = {}
  for i, entry in ipairs(inside[self].layout) do names[i] = entry.name end
  return names
end

--- Makes new parameters f(tensor, name) of the same shapes.
--     local halved = params:map(function(tensor) return tensor / 2 end)
--     local no_biases = params:map(function(t, name) return name:find "/b$" and 0 * t or t end)
-- @param f function(tensor, name) -> tensor of the same shape
-- @return Params
-- Raises if f returns another shape.
function Params:map(f)
  expect.callable("params:map: f", f)
  local own, tensors = inside[self], {}
  for _, entry in ipairs(own.layout) do
    local tensor = f(own.tensors[entry.name], entry.name)
    expect.tensor(("params:map: for '%s'"):format(entry.name), tensor, "a tensor")
    if not shapes.equal(tensor, entry.shape) then
      fail("params:map: for '%s': expected %s, got %s", entry.name, shapes.text(entry.shape),
        shapes.text(tensor))
    end
    tensors[entry.name] = tensor
  end
  if not own.flat then return M.wrap(own.layout, tensors) end
  return M.pack(own.layout, tensors)
end

-- The tensors one after the other, of params that do not lie in one buffer.
local function joined(own)
  local parts = {}
  for i, entry in ipairs(own.layout) do parts[i] = own.tensors[entry.name]:reshape(entry.size) end
  return M.concat(parts, 1)
end

-- Methods say so when they are called on something else, as params.clone() does.
for name, method in pairs(Params) do
  Params[name] = function(self, ...)
    if not inside[self or false] then
      fail.expected("params:" .. name, "params before the colon", self)
    end
    return method(self, ...)
  end
end

function Meta.__index(self, name)
  local own = inside[self]
  if name == "flat" then
    own.joined = not own.flat and (own.joined or joined(own)) or nil
    return own.flat or own.joined
  end
  return own.tensors[name] or Params[name]
end

function Meta.__newindex(_, name)
  fail("params are immutable: '%s' cannot be set", tostring(name))
end

function Meta.__len(self) return #inside[self].layout end

function Meta.__pairs(self)
  local own, i = inside[self], 0
  return function()
    i = i + 1
    local entry = own.layout[i]
    if entry then return entry.name, own.tensors[entry.name] end
  end
end

function Meta.__tostring(self)
  local lines = {("parameters: %d in %d tensors"):format(self:numel(), #self)}
  for _, entry in ipairs(inside[self].layout) do
    lines[#lines + 1] = ("  %-32s %s"):format(entry.name, shapes.text(entry.shape))
  end
  return table.concat(lines, "\n")
end

-- Raises unless two sets of parameters have the same names and shapes.
local function check_same_layout(a, b)
  for _, pair in ipairs{{a, b}, {b, a}} do
    for _, entry in ipairs(inside[pair[1]].layout) do
      local other = inside[pair[2]].tensors[entry.name]
      if not other then fail("only one side has '%s'", entry.name) end
      if not shapes.equal(entry.shape, other) then
        fail("'%s' is %s on one side, %s on the other", entry.name, shapes.text(entry.shape),
          shapes.text(other))
      end
    end
  end
end

-- a op b for parameters and a number (or tensor), or for two sets of parameters of the same names.
local function arithmetic(op)
  return function(a, b)
    local pattern, both = M.is(a) and a or b, M.is(a) and M.is(b)
    if both then check_same_layout(a, b) end
    return pattern:map(function(_, name)
      return op(M.is(a) and a[name] or a, M.is(b) and b[name] or b)
    end)
  end
end

Meta.__add = arithmetic(function(x, y) return x + y end)
Meta.__sub = arithmetic(function(x, y) return x - y end)
Meta.__mul = arithmetic(function(x, y) return x * y end)
Meta.__div = arithmetic(function(x, y) return x / y end)
Meta.__unm = function(self) return self:map(function(x) return -x end) end

renamed.functions(M, "bnn.params", {gather = "pack", of_tensors = "wrap", join = "merge"})

return M
