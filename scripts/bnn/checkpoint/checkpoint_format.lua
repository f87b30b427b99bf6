--- The format of checkpoints: converts a state into tensors and metadata, and back.
--
-- A file is safetensors. Its tensors are BUFFER/PATH for each buffer of a posterior (mu/PATH and
-- logvar/PATH of a mean-field one; 1/mu/PATH of a mixture's first), params/PATH,
-- optimizer/moments/1, ..., as U64 optimizer/steps, key and step, and the tensors among the extras
-- as extras/NAME/.... Its metadata hold the rest as JSON: the order of the tensors' names, options,
-- extras, config, versions.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local json_codec = require "bnn.base.json_codec"
local number = require "bnn.base.number"
local optim = require "bnn.inference.optim"
local options = require "bnn.base.options"
local param_samples = require "bnn.params.param_samples"
local parameters = require "bnn.params.params"
local posterior = require "bnn.posterior.posterior"
local posteriors = require "bnn.posterior.posterior_class"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local LAYOUT = 1
local FORMAT = "bnnlua checkpoint "

-- ---- writing ----

-- Adds the tensors of Params under a prefix; returns their names in order.
local function put_params(tensors, prefix, params)
  for name, tensor in pairs(params) do tensors[prefix .. name] = tensor end
  return params:names()
end

-- The same of Samples: a tensor [S, ...] for each name.
local function put_samples(tensors, prefix, samples)
  for _, name in ipairs(samples:names()) do
    tensors[prefix .. name] = samples[name]:contiguous()
  end
  return samples:names()
end

local function put_u64(tensors, name, bits) tensors[name] = core.tensor(bits, "u64") end

-- For each part of a state: adds its tensors, and returns the plain value for the metadata; or nil,
-- fault.
local put = {}

-- The components of a mixture have 1/, 2/, ... before the names of their tensors.
local function put_posterior(tensors, q, prefix)
  local tree = {kind = q.family, weights = q.weights}
  for i, component in ipairs(q.components or {}) do
    tree.components = tree.components or {}
    tree.components[i] = put_posterior(tensors, component, prefix .. i .. "/")
  end
  for _, buffer in ipairs(q.components and {} or q:buffers()) do
    local put_buffer = param_samples.is(buffer.params) and put_samples or put_params
    tree[buffer.name] = put_buffer(tensors, prefix .. buffer.name .. "/", buffer.params)
  end
  return tree
end

function put.posterior(tensors, q) return put_posterior(tensors, q, "") end

function put.params(tensors, params)
  return {names = put_params(tensors, "params/", params)}
end

function put.optimizer(tensors, state)
  local record = state:state_dict()
  put_u64(tensors, "optimizer/steps", record.steps)
  for i, moment in ipairs(record.moments) do tensors["optimizer/moments/" .. i] = moment end
  return {name = record.name, options = record.options, size = record.size,
          groups = record.groups, of = record.of}
end

function put.collector(tensors, collector)
  local record = collector:state_dict()
  tensors["collector/buffer"] = record.buffer
  put_u64(tensors, "collector/count", record.count)
  return {kind = collector.kind}
end

function put.extras(tensors, extras) return json_codec.encode(extras, "extras", tensors) end

for _, name in ipairs{"config", "training", "model"} do
  put[name] = function(_, tree) return json_codec.encode(tree, name) end
end

-- The number of threads is left out: it does not change the bits.
function put.versions()
  local list = {}
  for _, row in ipairs(core.versions()) do
    if row.name ~= "threads" then list[#list + 1] = row end
  end
  return list
end

--- Encodes a state.
-- @return tensors, metadata; or nil, what cannot be written
function M.encode(state)
  local tensors, metadata = {}, {format = FORMAT .. LAYOUT}
  for _, name in ipairs(options.sorted_names(put)) do
    if state[name] ~= nil or name == "versions" then
      local tree, fault = put[name](tensors, state[name])
      if fault then return nil, fault end
      metadata[name] = core.json_encode(tree)
    end
  end
  if state.key then put_u64(tensors, "key", state.key:bits()) end
  if state.step then put_u64(tensors, "step", state.step) end
  return tensors, metadata
end

--- Encodes extras into the tensors and the metadata of a file.
-- @return true; or nil, what cannot be written
function M.encode_extras(tensors, metadata, extras)
  local tree, fault = put.extras(tensors, extras)
  if fault then return nil, fault end
  metadata.extras = core.json_encode(tree)
  return true
end

-- ---- reading ----

-- Reads a tensor in the program's real type; a build that computes in f64 widens f32.
local function read_real(file, name)
  local x, fault = file:tensor(name)
  if not x or x:dtype() == core.real then return x, fault end
  if x:dtype() == "f32" then return x:to(core.real) end
  return nil, strings.message("'%s' is of %s, this program computes in %s", name, x:dtype(),
    core.real)
end

-- Reads the 64 bits of a scalar as an integer.
local function read_u64(file, name)
  local x, fault = file:tensor(name)
  if not x then return nil, fault end
  if x:dtype() ~= "u64" or x:dim() ~= 0 then
    return nil, strings.message("'%s': expected a u64 scalar, got %s %s", name, x:dtype(),
      shapes.text(x))
  end
  return x:item()
end

-- Reads a count, at most the largest integer of Lua.
local function read_count(file, name)
  local n, fault = read_u64(file, name)
  if n and n < 0 then return nil, strings.message("'%s' is %u, above 2^63 - 1", name, n) end
  return n, fault
end

-- Reads the tensors of these names; with rows, each of them is many draws [S, ...].
local function read_tensors(file, prefix, names, has_rows)
  local entries, tensors, rows = {}, {}, nil
  if type(names) ~= "table" then
    return nil, strings.message("the names of %s are not a list", prefix)
  end
  for i, name in ipairs(names) do
    if type(name) ~= "string" or tensors[name] then
      return nil, strings.message("name %d of %s is not a string, or is repeated", i, prefix)
    end
    local x, fault = read_real(file, prefix .. name)
    if not x then return nil, fault end
    local shape = x:shape()
    if has_rows then
      local n = table.remove(shape, 1)
      rows = rows or n
      if not n or n ~= rows then
        return nil, strings.message("'%s%s': expected %d draws, got %s", prefix, name, rows or 1,
          shapes.text(x))
      end
    end
    entries[i], tensors[name] = {name = name, shape = shape}, x
  end
  return parameters.layout(entries), tensors
end

local function read_params(file, prefix, names)
  local layout, tensors = read_tensors(file, prefix, names, false)
  if not layout then return nil, tensors end
  return parameters.pack(layout, tensors)
end

local function read_samples(file, prefix, names)
  local layout, tensors = read_tensors(file, prefix, names, true)
  if not layout then return nil, tensors end
  if #layout == 0 then return nil, strings.message("%s has no tensors", prefix) end
  return param_samples.pack(layout, tensors)
end

-- Calls f(...); returns its value, or nil and the message that it raised.
local function attempt(f, ...)
  local ok, value = fail.try(f, ...)
  if ok then return value end
  local line = core.where()
  if value:sub(1, #line) == line then return nil, value:sub(#line + 1) end
  return nil, (value:gsub("^[^\n]-%.lua:%d+: ", ""))
end

-- For each part of a state: makes it of its metadata and the tensors of the file; or nil, fault.
local get = {}

local get_posterior

local function get_mixture(file, tree, prefix)
  local opts = {weights = tree.weights}
  if type(tree.components) ~= "table" then return nil, "a mixture without components" end
  for i, component in ipairs(tree.components) do
    local q, fault = nil, ("component %d is not a table"):format(i)
    if type(component) == "table" then
      q, fault = get_posterior(file, component, prefix .. i .. "/")
    end
    if not q then return nil, fault end
    opts[i] = q
  end
  return attempt(posterior.mixture, opts)
end

local function get_family(file, family, tree, prefix)
  local buffers = {}
  for _, row in ipairs(family.buffers) do
    local read_buffer = row.has_rows and read_samples or read_params
    local params, fault = read_buffer(file, prefix .. row.name .. "/", tree[row.name])
    if not params then return nil, fault end
    buffers[row.name] = params
  end
  return attempt(posterior.from_buffers, tree.kind, buffers)
end

function get_posterior(file, tree, prefix)
  if tree.kind == "mixture" then return get_mixture(file, tree, prefix) end
  local family = posteriors.family(tree.kind)
  if family then return get_family(file, family, tree, prefix) end
  return nil, strings.message("expected a posterior of %s, got %s",
    table.concat(posteriors.family_names(), ", "), tostring(tree.kind))
end

function get.posterior(file, tree) return get_posterior(file, tree, "") end

function get.params(file, tree) return read_params(file, "params/", tree.names) end

function get.optimizer(file, tree)
  local record = {name = tree.name, options = tree.options, size = tree.size,
                  groups = tree.groups, of = tree.of, moments = {}}
  local fault, x
  record.steps, fault = read_count(file, "optimizer/steps")
  if fault then return nil, fault end
  while file:dtype("optimizer/moments/" .. #record.moments + 1) do
    x, fault = read_real(file, "optimizer/moments/" .. #record.moments + 1)
    if not x then return nil, fault end
    record.moments[#record.moments + 1] = x
  end
  return attempt(optim.from_state_dict, record)
end

function get.collector(file, tree)
  local count, fault = read_count(file, "collector/count")
  if not count then return nil, fault end
  local buffer, lack = read_real(file, "collector/buffer")
  if not buffer then return nil, lack end
  return {kind = tree.kind, count = count, buffer = buffer}
end

function get.extras(file, tree)
  return json_codec.decode(tree, function(name) return file:tensor(name) end)
end

for _, name in ipairs{"config", "training", "model", "versions"} do
  get[name] = function(_, tree) return json_codec.decode(tree) end
end

--- Checks that an open file is a checkpoint that this program can read.
-- @return true; or nil, why not
function M.check(file)
  local layout = (file.metadata.format or ""):match("^" .. FORMAT .. "(%d+)$")
  if not layout then
    return nil, "is a safetensors file but not a checkpoint; bnn.safetensors.open reads its tensors"
  elseif number.parse(layout) ~= LAYOUT then
    return nil, strings.message("is a checkpoint of layout %s, this program reads %d", layout,
      LAYOUT)
  end
  return true
end

-- Reads a part from the text of its metadata and from its tensors; or nil, fault.
local function read_part(file, name, text)
  local tree, part, fault
  tree, fault = core.json_decode(text)
  if type(tree) == "table" then part, fault = get[name](file, tree) end
  if type(part) == "table" then return part end
  return nil, strings.message("%s: %s", name, fault or "is not a table")
end

--- Reads the extras of an open checkpoint.
-- @return table; or nil, fault
function M.decode_extras(file)
  if not file.metadata.extras then return {} end
  return read_part(file, "extras", file.metadata.extras)
end

--- Reads the state in an open file.
-- @return table; or nil, fault
function M.decode(file)
  local ok, fault = M.check(file)
  if not ok then return nil, fault end
  local state, bits = {}, nil
  for _, name in ipairs(options.sorted_names(get)) do
    local text = file.metadata[name]
    if text then state[name], fault = read_part(file, name, text) end
    if fault then return nil, fault end
  end
  if file:dtype "key" then bits, fault = read_u64(file, "key") end
  if fault then return nil, fault end
  state.key = bits and core.key_of_bits(bits)
  if file:dtype "step" then state.step, fault = read_count(file, "step") end
  if fault then return nil, fault end
  return state
end

return M
