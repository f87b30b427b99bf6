--- Copies parameters by name and shape, and lists the names and shapes that do not match.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local param_samples = require "bnn.params.param_samples"
local parameters = require "bnn.params.params"
local posteriors = require "bnn.posterior.posterior_class"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local TENSORS = "params or a table of tensors by name"
local WITH_POSTERIOR = "params, a posterior or a table of tensors by name"

-- Whether a value is Params, a table of tensors by name, or an open file of them.
local function has_tensors(value)
  if parameters.is(value) then return true end
  if type(value) == "userdata" then return (getmetatable(value) or {}).__pairs ~= nil end
  if type(value) ~= "table" or getmetatable(value) then return false end
  for _, tensor in pairs(value) do
    if not kinds.is_object(tensor, "tensor") then return false end
  end
  return true
end

-- Raises unless a value has tensors by name, or is a posterior.
local function check_tensors(what, value, may_be_posterior)
  if has_tensors(value) or may_be_posterior and options.accept(value, "posterior") then return end
  fail.expected(what, may_be_posterior and WITH_POSTERIOR or TENSORS, value)
end

-- A table of the tensors of Params, of an open file, or of such a table.
local function by_name(source)
  local tensors = {}
  for name, tensor in pairs(source) do tensors[name] = tensor end
  return tensors
end

-- A line for each mismatch, in the order of the names, which are shown with the prefix.
local function mismatches(target, source, prefix)
  local lines, wanted, got = {}, by_name(target), by_name(source)
  local function add(...) lines[#lines + 1] = strings.message("'%s%s': %s", prefix, ...) end
  for name, tensor in pairs(wanted) do
    local there = got[name] and shapes.text(got[name]) or "nothing"
    if there ~= shapes.text(tensor) then
      add(name, ("expected %s, got %s"):format(shapes.text(tensor), there))
    end
  end
  for name, tensor in pairs(got) do
    if not wanted[name] then add(name, "expected nothing, got " .. shapes.text(tensor)) end
  end
  table.sort(lines, strings.before)
  return lines
end

--- Compares tensors by name and shape.
--     local mismatches = bnn.checkpoint.compare({w = bnn.ones(2)}, {w = bnn.ones(3)})
--     print(#mismatches) --> 1
-- @param target Params or table name -> tensor: what is expected
-- @param source Params or table name -> tensor: what is found
-- @return list of mismatches, strings; empty if both have the same names and shapes
function M.compare(target, source)
  check_tensors("bnn.checkpoint.compare: target", target)
  check_tensors("bnn.checkpoint.compare: source", source)
  return mismatches(target, source, "")
end

-- Copies the tensors that match by name and shape.
local function copy_matching(target, source)
  local others = by_name(source)
  for name, tensor in pairs(target) do
    local other, n = others[name], tensor:numel()
    if other and shapes.equal(other, tensor) then
      core.overwrite(tensor:view(n), other:real():contiguous():view(n))
    end
  end
end

-- Tensors [S, ...] of Samples by name.
local function by_draw(samples)
  local tensors = {}
  for _, name in ipairs(samples:names()) do tensors[name] = samples[name] end
  return tensors
end

-- Adds what of a buffer is copied into what; of Samples each draw, if there are as many, and else
-- all of them, whose shapes differ.
local function add_copies(copies, target, source, prefix)
  if not param_samples.is(target) then
    copies[#copies + 1] = {target, source, prefix}
  elseif #target ~= #source then
    copies[#copies + 1] = {by_draw(target), by_draw(source), prefix}
  else
    for s = 1, #target do copies[#copies + 1] = {target[s], source[s], s == 1 and prefix or nil} end
  end
end

--- What is copied between posteriors of one family: list of {target, source, prefix of the names in
-- messages, nil if one before has the same names}.
function M.buffer_pairs(to, from)
  local copies, theirs = {}, from:buffers()
  for i, buffer in ipairs(to:buffers()) do
    add_copies(copies, buffer.params, theirs[i].params, buffer.name .. "/")
  end
  return copies
end

-- What is copied into what, as buffer_pairs gives it.
local function pairs_to_copy(target, source)
  local to, from = options.accept(target, "posterior"), options.accept(source, "posterior")
  if not (to and from and posteriors.is_alike(to, from)) then
    if to and to.components then
      fail("bnn.checkpoint.load_into: target: expected params or a posterior of one family, got %s",
        to)
    end
    return {{to and to:buffers()[1].params or target, from and from:mean() or source, ""}}
  end
  return M.buffer_pairs(to, from)
end

--- Copies parameters into `target`, in place.
--     local target = net:init(key:fold "other", data.train)
--     assert(bnn.checkpoint.load_into(target, params))
-- @param target Params or posterior
-- @param source Params, posterior (Params, and posteriors of another family, get its mean), or a
--   table name -> tensor, such as bnn.safetensors.load returns
-- @param opts table: strict=true; false skips tensors whose name or shape differs
-- @return list of mismatches; or nil, message (strict: target unchanged).
--   Raises if target or source is of another type.
function M.load_into(target, source, opts)
  local what = "bnn.checkpoint.load_into"
  opts = options.check(what, opts, {strict = {type = "boolean", default = true}})
  check_tensors(what .. ": target", target, true)
  check_tensors(what .. ": source", source, true)
  local copies, lines = pairs_to_copy(target, source), {}
  for _, copy in ipairs(copies) do
    local more = copy[3] and mismatches(copy[1], copy[2], copy[3]) or {}
    table.move(more, 1, #more, #lines + 1, lines)
  end
  if opts.strict and #lines > 0 then return nil, table.concat(lines, "; ") end
  for _, copy in ipairs(copies) do copy_matching(copy[1], copy[2]) end
  return lines
end

return M
