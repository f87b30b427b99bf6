--- Computes the cases of torch_compare.py: values, and gradients of their products with weights.
--     build/bnnlua tests/long/torch_compare.lua DIR     -- DIR/inputs.npz -> DIR/outputs.npz
local bnn = require "bnn"
local core = require "bnn.core"
local layer_table = require "bnn.nn.layer_table"

local dir = arg[1]
local inputs = assert(bnn.data.read(dir .. "/inputs.npz"))

local function compile(text)
  return assert(load("local x, bnn, nn, ops = ... return " .. text, text, "t"))
end

-- The inputs of case k, in the views that it wants of them.
local function inputs_of(case, k)
  local x = {}
  for i, view in ipairs(case.views) do
    local stored = inputs[("c%d_x%d"):format(k, i)]
    x[i] = load("local t = ... return t" .. view)(stored)
  end
  return x
end

local function run(case, k, out)
  local f, x = compile(case.lua), inputs_of(case, k)
  local function value(t) return f(t, bnn, bnn.nn, core.ops) end
  local y = table.pack(value(x))
  for i = 1, y.n do out[("c%d_y%d"):format(k, i)] = y[i]:contiguous() end
  if #case.slopes == 0 then return end
  local at, dy = {}, inputs[("c%d_dy"):format(k)]
  for _, i in ipairs(case.slopes) do at["x" .. i] = x[i] end
  local slopes = bnn.grad(function(a)
    local t = table.move(x, 1, #x, 1, {})
    for _, i in ipairs(case.slopes) do t[i] = a["x" .. i] end
    return (value(t) * dy):sum()
  end)(at)
  for _, i in ipairs(case.slopes) do out[("c%d_d%d"):format(k, i)] = slopes["x" .. i] end
end

local function sorted(list)
  table.sort(list)
  return list
end

local names = {op = {}, layer = {}}
for name in pairs(core.ops) do names.op[#names.op + 1] = name end
for i, row in ipairs(layer_table.rows) do names.layer[i] = row[1] end
sorted(names.op)

local cases = core.json_decode(assert(io.open(dir .. "/cases.json")):read "a")
local out, errors = {none = bnn.zeros(1)}, {}
for k, case in ipairs(cases) do
  local ok, message = pcall(run, case, k - 1, out)
  if not ok then errors[tostring(k - 1)] = tostring(message) end
end
errors["-1"] = "" -- an object, whatever is in it
assert(bnn.data.save(dir .. "/outputs.npz", out))
local said = assert(io.open(dir .. "/said.json", "w"))
said:write(core.json_encode{names = names, errors = errors}):close()
