--- Compares a training that resumes with the one that wrote the checkpoint: describes what decides
-- the course of a training as plain values, and lists the differences between two descriptions.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local named_tensors = require "bnn.params.named_tensors"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local priors = require "bnn.model.priors"
local pytree = require "bnn.params.pytree"
local schedule = require "bnn.inference.schedule"
local strings = require "bnn.base.strings"

local M = {}

-- ---- what decides the course ----

--- Hashes a sample of the examples of a data set, so that stand-in data of the same size count as
-- other data. Checkpoints store the hash, so it must never change.
-- @param data table: x, y and weight, of which tensors count, one each or by name; classes, a list
--   of strings, or nil
-- @return string of 16 hexadecimal digits
function M.fingerprint(data)
  local h = core.fingerprint()
  for _, role in ipairs{"x", "y", "weight"} do
    named_tensors.each(role, data[role], function(tensor, name)
      if name ~= role then h = core.fingerprint(name, h) end
      if pytree.leaf_kind(tensor) == "tensor" then h = core.fingerprint(tensor, h) end
    end)
  end
  classes.each(data.classes, function(name) h = core.fingerprint(name, h) end)
  return ("%016x"):format(h)
end

-- "28 x 28", or "image 28 x 28, table 5", of a row; nil of what is no data.
local function row_text(x)
  local texts = {}
  named_tensors.each("", x, function(tensor, name)
    if pytree.leaf_kind(tensor) ~= "tensor" then return end
    local size = table.concat(tensor:shape(), " x ", 2)
    texts[#texts + 1] = name == "" and size or ("%s %s"):format(name:sub(2), size)
  end)
  return texts[1] and table.concat(texts, ", ") or nil
end

local STREAM_ROWS = 256 -- of a stream that are compared

-- Copies numbers and tables of them by path; anything else becomes the name of its type.
local function as_data(value)
  if type(value) == "number" then return value end
  if type(value) ~= "table" then return value and "a " .. type(value) or nil end
  local copy = {}
  for name, item in pairs(value) do copy[name] = as_data(item) end
  return copy
end

-- Numbers stay numbers, as in earlier versions, and functions the name of their type.
local function prior_of(objective)
  local prior = objective.prior
  if prior == nil or type(prior) == "function" then return as_data(prior) end
  local data = priors.describe(prior)
  return type(data) == "table" and data.by_path or data
end

--- Describes what decides the course of a training besides its configuration and its parameters.
-- @param opts table: the checked options of bnn.train
-- @param state the optimizer's state
-- @return table of plain values
function M.record(opts, state)
  local data = opts.data.head and opts.data:head(STREAM_ROWS) or opts.data
  local made = state:state_dict()
  return {
    batch_size = opts.batch_size,
    data_size = opts.data.size,
    row = row_text(data.x),
    data_fingerprint = M.fingerprint(data),
    classes = opts.data.classes,
    augment = opts.data.augmentation and opts.data.augmentation.text or nil,
    objective = tostring(opts.objective):gsub("^table: .*", "of your own"),
    prior = prior_of(opts.objective),
    weight_decay = as_data(opts.objective.weight_decay),
    collect = state.collector and tostring(state.collector) or nil,
    stop = opts.stopper and tostring(opts.stopper) or nil,
    optimizer = made.name,
    optimizer_options = made.options,
    optimizer_groups = made.groups,
    key = ("%016x"):format(opts.key:bits()),
  }
end

--- Translates an objective's text that an earlier version may have written into current words.
function M.objective_text(text)
  return type(text) == "string" and (text:gsub("([{ ])samples=", "%1num_samples=")) or text
end

--- Returns the learning rate and beta of a step, by which schedules, which are functions, are
-- compared.
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

-- Shows a value; the description of a network as mlp({64, 10, activation=tanh}).
function show(value, digits)
  if value == nil then return "not given" end
  if math.type(value) == "float" then return number.format(digits, value) end
  if type(value) ~= "table" then return number.text(value) end
  local text = show_table(type(value.kind) == "string" and value.args or value, digits)
  return type(value.kind) == "string" and ("%s(%s)"):format(value.kind, text)
    or ("{%s}"):format(text)
end

-- Shows two values with as many digits as tell them apart; nil if they are the same.
local function contrast(theirs, ours)
  for _, digits in ipairs{"%.7g", "%.10g", "%.14g", "%.17g"} do
    local there, here = show(theirs, digits), show(ours, digits)
    if there ~= here then return ("%s in the checkpoint, %s here"):format(there, here) end
  end
end

--- Adds "name: theirs in the checkpoint, ours here" to a list for each name whose values differ.
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

--- Lists as text the entries of bnn.versions() that decide the bits of a product.
-- @param versions list of {name=, version=}; anything else in a file is skipped
function M.kernels(versions)
  local parts = {}
  for _, row in ipairs(versions or {}) do
    if type(row) == "table" and DECISIVE[row.name] then
      parts[#parts + 1] = row.name .. " " .. tostring(row.version)
    end
  end
  return table.concat(parts, ", ")
end

--- Lists the same for this program.
function M.own_kernels() return M.kernels(core.versions()) end

return M
