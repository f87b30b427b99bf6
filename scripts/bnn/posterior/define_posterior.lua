--- Posteriors of one's own, in Lua over ops: bnn.posterior.define.
--
-- The buffers are parameters of the program that a step replays; drawing the weights and the KL are
-- part of it, so whatever is differentiable trains, by any rule.
local core = require "bnn.core"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local posteriors = require "bnn.posterior.posterior_class"
local pytree = require "bnn.params.pytree"

local M = {}

local spec = {
  name = {type = "string", required = true},
  buffers = {type = "table", required = true},
  sample = {type = "function", required = true},
  mean = "function",
  std = "function",
  kl = "function",
  log_prob = "function",
}

local INITIAL = "params" -- a buffer that starts from the parameters

-- The names of the buffers, those that start from the parameters first.
local function names_of(what, buffers)
  local first, rest = {}, {}
  for _, name in ipairs(options.sorted_names(buffers)) do
    local start = buffers[name]
    if start ~= INITIAL and type(start) ~= "number" and not options.accept(start, "function") then
      fail('%s: buffers: %s: expected "params", a number or function(path, shape), got %s', what,
        name, kinds.show(start))
    end
    table.insert(start == INITIAL and first or rest, name)
  end
  if #first == 0 then
    fail('%s: buffers: expected one that starts from the "params", got none', what)
  end
  table.move(rest, 1, #rest, #first + 1, first)
  return first
end

-- A buffer's first value for one tensor.
local function initial(what, name, start, path, shape)
  local value = start
  if type(start) ~= "number" then value = start(path, shape) end
  if pytree.leaf_kind(value) == "tensor" then return value end
  if kinds.is_finite(value) then return core.full(shape, value) end
  fail("%s: %s of '%s': expected a number or a tensor, got %s", what, name, path,
    kinds.show(value))
end

local function make_buffer(what, name, start, params)
  if start == INITIAL then return params:clone() end
  local entries, tensors = {}, {}
  for i, entry in ipairs(parameters.layout_of(params)) do
    local value = initial(what, name, start, entry.name, entry.shape)
    entries[i], tensors[entry.name] = {name = entry.name, shape = value:shape()}, value
  end
  return parameters.pack(parameters.layout(entries), tensors)
end

--- bnn.posterior.define.
function M.define(opts)
  local what = "bnn.posterior.define"
  opts = options.check(what, opts, spec)
  if (opts.kl == nil) == (opts.log_prob == nil) then
    fail("%s: expected kl= or log_prob=, got %s", what, opts.kl and "both" or "neither")
  end
  local known = posteriors.family(opts.name)
  if known and not known.defined then
    fail("%s: name: expected one that is free, got '%s', a family of the program", what, opts.name)
  end
  local rows = {}
  for i, name in ipairs(names_of(what, opts.buffers)) do rows[i] = {name = name, doc = name} end
  posteriors.add_family{name = opts.name, doc = opts.name, buffers = rows, defined = opts}
  return function(params, given)
    local called = "bnn.posterior " .. opts.name
    expect_model.params(called .. ": params", params)
    local kinds_of = {}
    for _, row in ipairs(rows) do kinds_of[row.name] = "number|function" end
    given = options.check(called, given, kinds_of)
    local list = {}
    for i, row in ipairs(rows) do
      local start = given[row.name] or opts.buffers[row.name]
      list[i] = make_buffer(called, row.name, start, params)
    end
    return posteriors.new(opts.name, list)
  end
end

return M
