--- Samples: many draws of a network's parameters in one tensor, as posterior:samples returns them.
--
-- `samples[i]` is draw number i as Params, a view; `samples["mlp/linear_0/w"]` is that tensor in
-- every draw, [S, 784, 64]; `#samples` is S; `samples.flat` holds all draws, [S, size].
-- bnn.vmap(f)(samples) calls f with one draw at a time, without a Lua loop.
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local parameters = require "bnn.params.params"
local renamed = require "bnn.base.renamed"
local shapes = require "bnn.base.shapes"

local M = {}

local Meta = {__name = "bnn.samples"}

-- What an object knows, out of the way of the tensors' names.
local inside = setmetatable({}, {__mode = "k"})

--- Makes Samples that view a tensor.
--     local layout, size = bnn.params.layout{{name = "w", shape = {2, 3}}}
--     local samples = bnn.samples.new(layout, bnn.zeros(100, size))
--     print(samples[1].w) --> [2, 3]
-- @param layout as bnn.params.layout returns it
-- @param flat tensor [S, size]: one draw per row
-- @return Samples
function M.new(layout, flat)
  if type(layout) ~= "table" then
    fail.expected("bnn.samples.new: layout", "a layout, as bnn.params.layout returns it", layout)
  end
  local self = setmetatable({}, Meta)
  inside[self] = {layout = layout, flat = flat}
  return self
end

--- Returns the layout of each draw: a list of {name=, shape=, size=, offset=}.
--     local samples = q:samples(key, 100)
--     print(bnn.samples.layout_of(samples)[1].name) -- mlp/linear_0/w
-- @param samples Samples
-- @return list of {name=, shape=, size=, offset=}, offset counting elements from 0
function M.layout_of(samples)
  if not M.is(samples) then fail.expected("bnn.samples.layout_of", "samples", samples) end
  return inside[samples].layout
end

--- Whether a value is a Samples object.
--     print(bnn.samples.is(q:samples(key, 3))) -- true
-- @param value any value
-- @return boolean
function M.is(value) return getmetatable(value) == Meta end

--- Copies tensors [S, ...] by name into new Samples.
--     local layout = bnn.params.layout{{name = "w", shape = {2}}}
--     local samples = bnn.samples.pack(layout, {w = bnn.tensor{{1, 2}, {3, 4}, {5, 6}}})
--     print(samples[2].w) --> {3, 4}
-- @param layout as bnn.params.layout returns it, of one draw
-- @param tensors table name -> tensor [S, ...]
-- @return Samples
-- Raises if a tensor lacks, or their shapes or numbers of draws differ.
function M.pack(layout, tensors)
  expect.plain_table("bnn.samples.pack: layout", layout, "a layout, as bnn.params.layout gives it")
  expect.plain_table("bnn.samples.pack: tensors", tensors, "a table of tensors [S, ...] by name")
  local parts = {}
  for i, entry in ipairs(layout) do
    local tensor = expect.tensor("bnn.samples.pack: " .. entry.name, tensors[entry.name],
      "a tensor [S, ...]")
    parts[i] = tensor:reshape(tensor:size(1), entry.size)
  end
  return M.new(layout, #parts == 0 and core.zeros(0, 0) or parameters.concat(parts, 2))
end

-- What an entry of a layout is called in messages.
local function tensor_text(entry)
  return entry and entry.name .. " " .. shapes.text(entry.shape) or "nothing"
end

-- Raises unless two layouts have the same names and shapes, in one order.
local function check_layout(i, layout, first)
  for k = 1, math.max(#layout, #first) do
    local own, other = tensor_text(layout[k]), tensor_text(first[k])
    if own ~= other then
      fail("bnn.samples.stack: list: expected params of one layout, got %s first and %s in "
        .. "number %d", other, own, i)
    end
  end
end

--- Copies a list of Params of the same layout into new Samples.
--     local samples = bnn.samples.stack{q:sample(key:fold(1)), q:sample(key:fold(2))}
--     print(#samples) -- 2
-- @param list list of Params, at least one
-- @return Samples, as many as the list has
-- Raises if the layouts differ.
function M.stack(list)
  local is_list = type(list) == "table" and not getmetatable(list)
  if not is_list or not parameters.is(list[1]) then
    fail.expected("bnn.samples.stack: list", "a list of params", is_list and list[1] or list)
  end
  local layout, rows = parameters.layout_of(list[1]), {}
  for i, params in ipairs(list) do
    if not parameters.is(params) then
      fail.expected(("bnn.samples.stack: list: number %d"):format(i), "params", params)
    end
    local own = parameters.layout_of(params)
    if own ~= layout then check_layout(i, own, layout) end
    rows[i] = params.flat
  end
  return M.new(layout, parameters.concat(rows, 1):view(#list, -1))
end

local Samples = {}

--- Lists the names of the tensors, in order.
--     local samples = q:samples(key, 3)
--     print(samples:names()[1]) -- mlp/linear_0/w
-- @return list of strings
function Samples:names()
  local names = {}
  for i, entry in ipairs(inside[self].layout) do names[i] = entry.name end
  return names
end

--- Copies the draws into new memory.
--     local samples = q:samples(key, 3)
--     local copy = samples:clone()
-- @return Samples
function Samples:clone()
  local own = inside[self]
  return M.new(own.layout, own.flat:clone())
end

expect_model.check_methods(Samples, "samples",
  function(value) return inside[value or false] ~= nil end)

-- The tensor of every draw [S, ...], a view.
local function tensor_of(own, entry)
  local part = own.flat:narrow(2, entry.offset + 1, entry.size)
  return part:view(own.flat:size(1), table.unpack(entry.shape))
end

function Meta.__index(self, name)
  local own = inside[self]
  if name == "flat" then return own.flat end
  if math.type(name) == "integer" then
    if name < 1 or name > own.flat:size(1) then return nil end
    return parameters.new(own.layout, own.flat[name])
  end
  for _, entry in ipairs(own.layout) do
    if entry.name == name then return tensor_of(own, entry) end
  end
  return Samples[name]
end

function Meta.__newindex(_, name)
  fail("samples are immutable: '%s' cannot be set", tostring(name))
end

function Meta.__len(self) return inside[self].flat:size(1) end

-- The pytree node that vmap, grad and compile see: Params whose tensors have one more axis.
function Meta:__parts()
  local own, tensors = inside[self], {}
  for _, entry in ipairs(own.layout) do tensors[entry.name] = tensor_of(own, entry) end
  return parameters.wrap(own.layout, tensors)
end

function Meta.__tostring(self)
  local own = inside[self]
  return ("%d samples of %d parameters in %d tensors"):format(own.flat:size(1), own.flat:size(2),
    #own.layout)
end

renamed.functions(M, "bnn.samples", {gather = "pack", of = "stack"})

return M
