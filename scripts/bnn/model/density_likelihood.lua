--- The likelihood of a density of the runtime's table (core.densities) that any real number may
-- have: y - output has that density.
--
-- Its options are the density's parameters but `loc`, which is the output. A `scale` that is not
-- given is e to the network's second value.
local core = require "bnn.core"
local help = require "bnn.model.likelihoods.likelihood_help"
local number = require "bnn.base.number"
local priors = require "bnn.model.priors"

local M = {}

-- The row's parameters in the op's order; loc is 0 there, as the output is taken from y before.
local function parameters_of(row, opts, scale)
  local list = {}
  for i, param in ipairs(row.params) do
    list[i] = param.name == "loc" and 0 or param.name == "scale" and scale or opts[param.name]
  end
  return list
end

local function has_scale(row)
  for _, param in ipairs(row.params) do
    if param.name == "scale" then return true end
  end
  return false
end

local function options_of(row)
  local spec = {}
  for _, param in ipairs(row.params) do
    if param.name == "scale" then
      spec.scale = {type = "number", above = 0}
    elseif param.name ~= "loc" then
      spec[param.name] = {type = "number", default = param.value}
    end
  end
  return spec
end

local function doc_of(row)
  local lines = {
    ("%s{...}: y = output + noise, of the output's shape."):format(row.name),
    ("Noise: %s."):format(row.doc),
    "Predictions are the outputs and the noise's mean, if it has one.",
    ("    bnn.likelihood.%s{%s}"):format(row.name, has_scale(row) and "scale = 0.5" or ""),
  }
  for _, param in ipairs(row.params) do
    if param.name == "scale" then
      lines[#lines + 1] = "@param scale of the noise, above 0. Without it the network gives two "
        .. "values, the\n  location and log scale, of its shape or one that broadcasts to it"
    elseif param.name ~= "loc" then
      lines[#lines + 1] = number.format("@param %s %s, %g by default", param.name, param.doc,
        param.value)
    end
  end
  lines[#lines + 1] = "@return likelihood"
  return table.concat(lines, "\n")
end

local function finite(x) return x == x and x < math.huge and x > -math.huge and x or nil end

-- Mean and variance of the noise, nil where it has none.
local function moments_of(row, opts)
  local density = {row.name, table.unpack(parameters_of(row, opts, opts.scale or 1))}
  local mean, variance = core.density_moments(density)
  return finite(mean), finite(variance)
end

local function check_options(row, opts)
  local given = {}
  for _, param in ipairs(row.params) do
    if param.name ~= "loc" then given[param.name] = opts[param.name] end
  end
  priors.check_params("bnn.likelihood." .. row.name, row, given)
end

-- The noise's variance: a number, or of a scale that the network gives a function of its output.
local function variance_of(parts, variance, is_given)
  if is_given or not variance then return variance end
  return function(output)
    local location, own = parts(output)
    return help.in_shape_of(location, own * own * variance)
  end
end

--- The row of bnn.likelihood for a row of core.densities; nil if its support is not all numbers.
function M.row(row)
  if row.lo > -math.huge or row.hi < math.huge then return nil end
  local op = core.ops[row.op]
  local function make(opts)
    check_options(row, opts)
    local parts = function(output)
      return help.check_one(row.name, output, "one tensor")
    end
    if has_scale(row) then
      parts = help.parts(row.name, opts.scale, "location and log scale",
        ("%s{scale = 1} has a given one"):format(row.name))
    end
    local mean, variance = moments_of(row, opts)
    return {
      log_prob = function(output, y)
        local location, scale = parts(output)
        help.check_targets(row.name, location, y)
        local list = parameters_of(row, opts, scale)
        return help.per_example(op(y - location, table.unpack(list)))
      end,
      predict = function(output)
        local location, scale = parts(output)
        if not mean or mean == 0 then return location end
        local own = scale and not opts.scale and scale or 1 -- the mean is of a scale of 1 then
        return location + own * mean
      end,
      variance = variance_of(parts, variance, not has_scale(row) or opts.scale),
    }
  end
  local examples = has_scale(row) and {{options = {scale = 0.5}}, {second = 1}} or {{}}
  return {name = row.name, doc = doc_of(row), options = options_of(row), examples = examples,
          make = make}
end

return M
