--- Containers whose input takes several ways: a residual connection, and layers side by side.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

local function check_layer(what, value)
  if options.accept(value, "function") then return value end -- a layer can be called
  fail.expected(what, "a layer or a function", value)
end

local function text_of(l) return layer.is(l) and tostring(l) or "function" end

local function result_of(l, x) return expect.tensor("result", l(x), "a tensor") end

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

--- Makes a layer of layers side by side, each of which gets x; their results are put one after the
-- other along an axis, or added.
--     bnn.nn.parallel{bnn.nn.linear(8), bnn.nn.sequential{bnn.nn.linear(8), bnn.nn.tanh()}}
--     bnn.nn.parallel{bnn.nn.conv2d(8, 1), bnn.nn.conv2d(8, 3, {padding = "same"}), axis = 2}
-- @param opts table: the layers, or functions of a tensor; combine="concat" or "sum"; axis=-1, of
--   concat
-- @return layer
-- Raises when it is called and the results do not fit.
function M.parallel(opts)
  local what = "bnn.nn.parallel"
  opts = options.check(what, opts, {
    "any", combine = {type = "string", choices = {"concat", "sum"}, default = "concat"},
    axis = {type = "integer", default = -1},
  })
  if #opts == 0 then fail("%s: expected a list of layers, got an empty list", what) end
  local texts = {}
  for i, l in ipairs(opts) do
    check_layer(("%s: entry %d"):format(what, i), l)
    texts[i] = text_of(l)
  end
  local function forward(x)
    local results = {}
    for i, l in ipairs(opts) do results[i] = result_of(l, x) end
    if opts.combine == "concat" then return core.ops.concat(results, opts.axis) end
    local sum = results[1]
    for i = 2, #results do sum = sum + results[i] end
    return sum
  end
  if opts.combine ~= "concat" then texts[#texts + 1] = "combine=" .. opts.combine end
  if opts.axis ~= -1 then texts[#texts + 1] = ("axis=%d"):format(opts.axis) end
  return layer.new{
    kind = "parallel", args = {opts}, forward = forward, container = true,
    text = ("parallel{%s}"):format(table.concat(texts, ", ")),
  }
end

return M
