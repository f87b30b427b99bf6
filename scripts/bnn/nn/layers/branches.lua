--- Containers whose input takes several ways: a residual connection, and layers side by side.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local layer = require "bnn.nn.base.layer"
local named_tensors = require "bnn.params.named_tensors"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

-- The options of bnn.nn.parallel beside its layers.
local PARALLEL = {
  combine = {type = "string", choices = {"concat", "sum", "none"}, default = "concat"},
  axis = {type = "integer", default = -1},
}

local function check_layer(what, value)
  if options.accept(value, "function") then return value end -- a layer can be called
  fail.expected(what, "a layer or a function", value)
end

local function text_of(l) return layer.is(l) and tostring(l) or "function" end

local function result_of(l, x) return expect.tensor("result", l(x), "a tensor") end

-- One value, or a list of several.
local function pack(...)
  if select("#", ...) == 1 then return expect.tensor("result", (...), "a tensor") end
  return {...}
end

local function result_of_head(l, x) return pack(l(x)) end

--- Makes a residual connection (He et al. 2016): x + f(x), or shortcut(x) + f(x) where f changes
-- the shape.
--     local block = bnn.nn.residual(bnn.nn.sequential{
--       bnn.nn.linear(64), bnn.nn.relu(), bnn.nn.linear(64),
--     })
--     bnn.nn.residual(bnn.nn.linear(10), {shortcut = bnn.nn.linear(10)})
-- @param f layer, or function of a tensor
-- @param opts table: shortcut=, a layer or function that x takes beside f (default: x itself)
-- @return layer
-- Raises when it is called and the two have other shapes.
function M.residual(f, opts)
  local what = "bnn.nn.residual"
  check_layer(what, f)
  opts = options.check(what, opts, {shortcut = "any"})
  if opts.shortcut ~= nil then check_layer(what .. ": shortcut", opts.shortcut) end
  local function forward(x)
    local y = result_of(f, x)
    local beside = opts.shortcut and result_of(opts.shortcut, x) or x
    if shapes.text(y) ~= shapes.text(beside) then
      fail("expected the shape of the shortcut, %s, got %s", shapes.text(beside), shapes.text(y))
    end
    return beside + y
  end
  local suffix = opts.shortcut and (", {shortcut=%s}"):format(text_of(opts.shortcut)) or ""
  return layer.new{
    kind = "residual", args = {f, {shortcut = opts.shortcut}}, forward = forward, container = true,
    text = ("residual(%s%s)"):format(text_of(f), suffix),
  }
end

-- The branches of bnn.nn.parallel: {{name or nil, layer}, ...}, those by name in the order of their
-- names; and what is left of its options.
local function branches_of(what, opts)
  if type(opts) ~= "table" then fail.expected(what, "a list of layers", opts) end
  local branches, rest = {}, {}
  for i, l in ipairs(opts) do
    branches[i] = {nil, check_layer(("%s: entry %d"):format(what, i), l)}
  end
  for _, name in ipairs(options.sorted_names(opts)) do
    if PARALLEL[name] then
      rest[name] = opts[name]
    else
      branches[#branches + 1] = {name, check_layer(what .. ": " .. name, opts[name])}
    end
  end
  if #branches == 0 then fail("%s: expected a list of layers, got an empty list", what) end
  if #opts > 0 and #branches > #opts then
    fail("%s: expected a list of layers, or layers by name, got both", what)
  end
  return branches, options.check(what, rest, PARALLEL)
end

-- Raises unless inputs by name are those of the branches.
local function check_inputs(branches, x)
  local has_branch = {}
  for _, branch in ipairs(branches) do
    local name = branch[1]
    if not name then fail "x: expected one tensor for a list of layers, got several by name" end
    has_branch[name] = true
    if x[name] == nil then fail("x: expected an input '%s', got none of that name", name) end
  end
  for _, name in ipairs(named_tensors.names(x)) do
    if not has_branch[name] then
      fail("x: expected a layer for each input, got none for '%s'", name)
    end
  end
end

-- What each branch makes of x, or of its own input of several, by call(layer, x).
local function results_of(branches, x, call)
  local is_named = named_tensors.is_named(x)
  if is_named then check_inputs(branches, x) end
  local results = {}
  for i, branch in ipairs(branches) do
    local name, l = branch[1], branch[2]
    local own = is_named and x[name] or x
    results[i] = name and frame.inside(name, call, l, own) or call(l, own)
  end
  return results
end

-- Results by the names of their branches.
local function by_name(branches, results)
  local named = {}
  for i, branch in ipairs(branches) do named[branch[1]] = results[i] end
  return named_tensors.named(named)
end

local function combine(branches, results, opts)
  if opts.combine == "concat" then return core.ops.concat(results, opts.axis) end
  if opts.combine == "none" then return by_name(branches, results) end
  local sum = results[1]
  for i = 2, #results do sum = sum + results[i] end
  return sum
end

--- Makes a layer of layers side by side, each of which gets x; their results are put one after the
-- other along an axis, or added. Layers by name get their own inputs of data with inputs by name,
-- or are the heads of a network with targets by name.
--     bnn.nn.parallel{bnn.nn.linear(8), bnn.nn.sequential{bnn.nn.linear(8), bnn.nn.tanh()}}
--     bnn.nn.parallel{bnn.nn.conv2d(8, 1), bnn.nn.conv2d(8, 3, {padding = "same"}), axis = 2}
--     local net = bnn.nn.sequential{
--       bnn.nn.parallel{image = bnn.nn.flatten(), table = bnn.nn.linear(8)}, bnn.nn.mlp{16, 16},
--       bnn.nn.parallel{class = bnn.nn.linear(10), age = bnn.nn.linear(1), combine = "none"},
--     }
--     local x = {image = bnn.ones(1, 3, 3), table = bnn.ones(1, 5)}
--     print(net:init(key, x):names()[1])     -- sequential/parallel_0/table/linear/w
-- @param opts table: the layers, or functions of a tensor, as a list or by name; combine="concat",
--   "sum" or, of layers by name, "none": a table of the results, in which several values of one
--   layer are a list; axis=-1, of concat
-- @return layer
-- Raises when it is called and the results do not fit, or inputs by name have other names.
function M.parallel(opts)
  local what = "bnn.nn.parallel"
  local branches, rest = branches_of(what, opts)
  if rest.combine == "none" and not branches[1][1] then
    fail("%s: combine: expected layers by name for \"none\", got a list", what)
  end
  local args, texts = {combine = rest.combine, axis = rest.axis}, {}
  for i, branch in ipairs(branches) do
    local name, l = branch[1], branch[2]
    args[name or i] = l
    texts[i] = (name and name .. "=" or "") .. text_of(l)
  end
  if rest.combine ~= "concat" then texts[#texts + 1] = "combine=" .. rest.combine end
  if rest.axis ~= -1 then texts[#texts + 1] = ("axis=%d"):format(rest.axis) end
  local call = rest.combine == "none" and result_of_head or result_of
  local function forward(x) return combine(branches, results_of(branches, x, call), rest) end
  return layer.new{
    kind = "parallel", args = {args}, forward = forward, container = true, takes_named = true,
    text = ("parallel{%s}"):format(table.concat(texts, ", ")),
  }
end

return M
