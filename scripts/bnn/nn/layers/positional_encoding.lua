--- Positional encodings: what tells a transformer where in a sequence a position is.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

local LONGEST, STD = 10000, 0.02
local KIND = {type = "string", choices = {"sinusoidal", "learned"}}

-- sin and cos of position / LONGEST^(2i / d), side by side: [t, d].
local function waves(t, d)
  local rows = {}
  for p = 1, t do
    rows[p] = {}
    for i = 1, d do
      local angle = (p - 1) * LONGEST ^ (-2 * ((i - 1) // 2) / d)
      rows[p][i] = (i % 2 == 1 and math.sin or math.cos)(angle)
    end
  end
  return core.tensor(rows):reshape(t, d)
end

local function learned(key, shape) return initializers.normal(key, shape) * STD end

--- Makes a layer that adds to x [n, t, d] a vector [d] for each of the t positions: "sinusoidal",
-- sines and cosines of fixed rates (Vaswani et al. 2017), or "learned", the first t rows of a
-- parameter w [max_length, d], at first normal draws of deviation 0.02.
--     local layer = bnn.nn.positional_encoding "sinusoidal"
--     layer:apply({}, bnn.zeros(1, 2, 2))               -- {{{0, 1}, {0.8415, 0.5403}}}
--     bnn.nn.positional_encoding("learned", {max_length = 128})
-- @param kind string: "sinusoidal" (default) or "learned"
-- @param opts table: max_length=, the most positions that there are: "learned" needs it
-- @return layer
-- Raises when it is called on more than max_length positions.
function M.positional_encoding(kind, opts)
  local what = "bnn.nn.positional_encoding"
  kind = expect.value(what .. ": kind", kind == nil and "sinusoidal" or kind, KIND)
  opts = options.check(what, opts, {max_length = layer.SIZE})
  local most = opts.max_length
  if kind == "learned" and not most then
    fail("%s: max_length: expected a number of positions for \"learned\", got nothing", what)
  end
  local function forward(x)
    if x:dim() ~= 3 then fail("x: expected [n, positions, d], got %s", shapes.text(x)) end
    local t, d = x:size(2), x:size(3)
    if t > (most or t) then
      fail("x: expected at most %d positions, got %s", most, shapes.text(x))
    end
    if kind == "sinusoidal" then return x + waves(t, d) end
    return x + frame.parameter("w", {most, d}, learned):narrow(1, 1, t)
  end
  return layer.new{
    kind = "positional_encoding", args = {kind, {max_length = most}}, forward = forward,
    text = ("positional_encoding(%s%s)"):format(kind, layer.changed_text{{"max_length", most}}),
  }
end

return M
