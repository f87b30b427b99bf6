--- Activations: elementwise layers, which are the ops of the same name.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local layer = require "bnn.nn.layer"
local number = require "bnn.base.number"
local options = require "bnn.base.options"

local M = {layers = {}, docs = {}, args = {}}

-- A row each: how many numbers the op takes at most. To add one, add its row.
local ROWS = {
  relu = 0, tanh = 0, sigmoid = 0, softplus = 0, gelu = 0, leaky_relu = 1, sin = 0, cos = 0,
}

local DOC = [[%s: applies x:%s elementwise
    bnn.nn.sequential{bnn.nn.linear(64), bnn.nn.%s, bnn.nn.linear(10)}
@return layer: x of any shape -> the same shape]]

-- Raises unless these are the arguments of an activation.
local function check_arguments(name, args)
  local most, n = ROWS[name], args.n
  while n > 0 and args[n] == nil do n = n - 1 end
  if n > most then
    fail("bnn.nn.%s: expected at most %d argument%s, got %d", name, most, most == 1 and "" or "s",
      n)
  end
  if args[1] ~= nil then expect.value("bnn.nn." .. name .. ": slope", args[1], "number") end
end

for name, most in pairs(ROWS) do
  local op = core.ops[name]
  local call = name .. (most > 0 and "(slope = 0.01)" or "()")
  local used = name .. (most > 0 and "(0.1)" or "()")
  M.docs[name], M.args[name] = DOC:format(call, used, used), most > 0 and {0.1} or {}
  M.layers[name] = function(...)
    local args = table.pack(...)
    check_arguments(name, args)
    local slope = args[1]
    return layer.new{
      kind = name, args = {slope}, forward = function(x) return op(x, table.unpack(args)) end,
      text = slope and number.format("%s(%g)", name, slope) or name .. "()",
    }
  end
end

--- The names of the activations, sorted.
M.names = options.sorted_names(ROWS)

return M
