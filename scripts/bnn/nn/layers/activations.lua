--- Activations: elementwise layers, which are the ops of the same name.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local layer = require "bnn.nn.base.layer"
local number = require "bnn.base.number"
local options = require "bnn.base.options"

local M = {layers = {}, docs = {}, args = {}}

-- A row each: nothing, or the number that the op takes: its name, default and an example. To add
-- one, add its row.
local ROWS = {
  relu = {}, tanh = {}, sigmoid = {}, softplus = {}, gelu = {}, silu = {}, mish = {}, sin = {},
  cos = {}, leaky_relu = {"slope", 0.01, 0.1}, elu = {"alpha", 1, 0.5},
}

local DOC = [[%s: applies x:%s elementwise
    bnn.nn.sequential{bnn.nn.linear(64), bnn.nn.%s, bnn.nn.linear(10)}
@return layer: x of any shape -> the same shape]]

-- Raises unless these are the arguments of an activation.
local function check_arguments(name, args)
  local row, n = ROWS[name], args.n
  local most = row[1] and 1 or 0
  while n > 0 and args[n] == nil do n = n - 1 end
  if n > most then
    fail("bnn.nn.%s: expected at most %d argument%s, got %d", name, most, most == 1 and "" or "s",
      n)
  end
  if args[1] ~= nil then
    expect.value(("bnn.nn.%s: %s"):format(name, row[1]), args[1], "number")
  end
end

for name, row in pairs(ROWS) do
  local op = core.ops[name]
  local call = name .. (row[1] and number.format("(%s = %g)", row[1], row[2]) or "()")
  local used = name .. (row[1] and number.format("(%g)", row[3]) or "()")
  M.docs[name], M.args[name] = DOC:format(call, used, used), {row[3]}
  M.layers[name] = function(...)
    local args = table.pack(...)
    check_arguments(name, args)
    local given = args[1]
    return layer.new{
      kind = name, args = {given}, forward = function(x) return op(x, table.unpack(args)) end,
      text = given and number.format("%s(%g)", name, given) or name .. "()",
    }
  end
end

--- The names of the activations, sorted.
M.names = options.sorted_names(ROWS)

return M
