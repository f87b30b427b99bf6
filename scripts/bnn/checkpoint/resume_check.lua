--- Whether a training that goes on from a checkpoint is the one that wrote it: what decides the
-- course of a training, as plain values, and the differences between two of these in words.
local core = require "bnn.core"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local schedule = require "bnn.inference.schedule"
local strings = require "bnn.base.strings"
local pytree = require "bnn.params.pytree"

local M = {}

local SAMPLED = 16384 -- elements of the data that the fingerprint looks at, at most

-- ---- what decides the course ----

-- FNV-1a over the bits of numbers.
local function hash(h, values)
  for _, v in ipairs(values) do
    h = (h ~ string.unpack("<i8", string.pack("<d", v))) * 0x100000001b3
    h = h ~ (h >> 29)
  end
  return h
end

-- Folds up to SAMPLED elements of a tensor [n, ...] into a hash: rows at even distances.
local function hash_tensor(h, x)
  local shape = x:shape()
  h = hash(h, shape)
  local n, numel = shape[1] or 0, x:numel()
  if numel == 0 then return h end
  local width = numel // n
  local wanted = math.max(1, math.min(n, SAMPLED // width))
  for k = 0, wanted - 1 do
    local row = x:narrow(1, 1 + k * n // wanted, 1):reshape(width)
    h = hash(h, row:narrow(1, 1, math.min(width, SAMPLED)):totable())
  end
  return h
end

--- A number for the examples of a data set, from a sample of them: digits that stand in for others
-- of the same count are another data set.
-- @param data table: x and y tensors, or other values, which do not count; classes or nil
-- @return string of 16 hexadecimal digits
function M.fingerprint(data)
  local h = -3750763034362895579 -- the offset of FNV-1a, 64 bits
  for _, name in ipairs{"x", "y"} do
    if pytree.leaf_kind(data[name]) == "tensor" then h = hash_tensor(h, data[name]) end
  end
  for _, name in ipairs(data.classes or {}) do h = hash(h, {#name, name:byte(1, -1)}) end
  return ("%016x"):format(h)
end

-- Numbers, and tables of them by path, as they are; functions by that word.
local function as_data(value)
  if type(value) == "number" then return value end
  if type(value) ~= "table" then return value and "a " .. type(value) or nil end
  local copy = {}
  for name, item in pairs(value) do copy[name] = as_data(item) end
  return copy
end

--- What decides the course of a training beside its configuration and its parameters.
-- @param opts table: the checked options of bnn.train
-- @param state the optimizer's state
-- @return table of plain values
function M.record(opts, state)
  local made, x = state:state_dict(), opts.data.x
  return {
    batch_size = opts.batch_size,
    data_size = opts.data.size,
    row = pytree.leaf_kind(x) == "tensor" and table.concat(x:shape(), " x ", 2) or nil,
    data_fingerprint = M.fingerprint(opts.data),
    classes = opts.data.classes,
    objective = tostring(opts.objective):gsub("^table: .*", "of your own"),
    prior = as_data(opts.objective.prior),
    weight_decay = as_data(opts.objective.weight_decay),
    optimizer = made.name,
    optimizer_options = made.options,
    key = ("%016x"):format(opts.key:bits()),
  }
end

--- What an objective is in the words of today, of a file that earlier versions may have written.
function M.objective_text(text)
  return type(text) == "string" and (text:gsub("([{ ])samples=", "%1num_samples=")) or text
end

--- The learning rate and beta of a step, by which schedules, which are functions, are compared.
-- @return table {lr=, beta=}; empty for step 0
function M.rates(opts, state, step)
  if step == 0 then return {} end
  return {
    lr = opts.lr and schedule.value(opts.lr, step, "lr") or state:rate(step),
    beta = opts.beta and schedule.value(opts.beta, step, "beta") or opts.objective:beta_at(step),
  }
end

-- ---- differences ----

local show

local function show_table(value, digits)
  local parts = {}
  for i, item in ipairs(value) do parts[i] = show(item, digits) end
  for _, name in ipairs(options.sorted_names(value)) do
    parts[#parts + 1] = name .. "=" .. show(value[name], digits)
  end
  return table.concat(parts, ", ")
end

-- A value in words; a network that is described, mlp({64, 10, activation=tanh}), as such.
function show(value, digits)
  if value == nil then return "not given" end
  if math.type(value) == "float" then return number.format(digits, value) end
  if type(value) ~= "table" then return number.text(value) end
  local text = show_table(type(value.kind) == "string" and value.args or value, digits)
  return type(value.kind) == "string" and ("%s(%s)"):format(value.kind, text)
    or ("{%s}"):format(text)
end

-- What two values are in words, with as many digits as tell them apart; nil when they are the same.
local function contrast(theirs, ours)
  for _, digits in ipairs{"%.7g", "%.10g", "%.14g", "%.17g"} do
    local there, here = show(theirs, digits), show(ours, digits)
    if there ~= here then return ("%s in the checkpoint, %s here"):format(there, here) end
  end
end

--- Adds "name: theirs in the checkpoint, ours here" to a list for what differs, by name.
-- @param may_change list of names that may differ, or nil
function M.compare(list, theirs, ours, may_change)
  local names = {}
  for _, side in ipairs{theirs, ours} do
    for name in pairs(side) do names[name] = true end
  end
  for _, name in ipairs(may_change or {}) do names[name] = nil end
  for _, name in ipairs(options.sorted_names(names)) do
    local text = contrast(theirs[name], ours[name])
    if text then list[#list + 1] = strings.message("%s: %s", name, text) end
  end
end

-- ---- the machine ----

local DECISIVE = {OpenBLAS = true, ["instruction set"] = true, ["real type"] = true}

--- The parts of bnn.versions() that decide the bits of a product, as a text.
-- @param versions list of {name=, version=}; whatever else a file holds is passed over
function M.kernels(versions)
  local parts = {}
  for _, row in ipairs(versions or {}) do
    if type(row) == "table" and DECISIVE[row.name] then
      parts[#parts + 1] = row.name .. " " .. tostring(row.version)
    end
  end
  return table.concat(parts, ", ")
end

--- The same of this program.
function M.own_kernels() return M.kernels(core.versions()) end

return M
