--- What priors are: values of a density of the runtime's table (core.densities) with its
-- parameters, and what numbers, names and functions that stand for one mean. bnn.prior makes them.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local param_options = require "bnn.params.param_options"
local strings = require "bnn.base.strings"

local M = {}

local FITTED = "fitted"     -- a scale that is the posterior's own
local LEAST_FITTED = 1e-4   -- BNN_FITTED_STD_MIN of the runtime

local rows = {} -- by name: rows of core.densities
for _, row in ipairs(core.densities()) do rows[row.name] = row end

local Prior = {__name = "bnn.prior"}
Prior.__index = Prior

-- {name, parameters...}, as the runtime takes a density.
local function packed(prior)
  local list = {prior.name}
  for i, param in ipairs(rows[prior.name].params) do list[i + 1] = prior[param.name] end
  return list
end

function Prior.__tostring(self)
  if self.density then return "density" end
  local parts = {}
  for i, param in ipairs(rows[self.name].params) do
    local value = self[param.name]
    local text = value == FITTED and value or number.format("%.10g", value)
    parts[i] = param.name .. "=" .. text
  end
  return ("%s{%s}"):format(self.name, table.concat(parts, ", "))
end

--- Computes the log density of each weight in nats, over ops.
--     bnn.prior.laplace{scale = 2}:log_prob(bnn.tensor{0, 1})   -- {-1.386, -1.886}
-- @param w tensor of any shape
-- @return tensor of that shape; -inf outside of the support
-- Raises if the scale is fitted: it is the posterior's.
function Prior:log_prob(w)
  expect.tensor("prior:log_prob: w", w, "a tensor")
  if M.is_fitted(self) then
    fail 'prior:log_prob: expected a prior whose scale is a number, got one that is "fitted"'
  end
  return core.ops[rows[self.name].op](w, table.unpack(packed(self), 2))
end

-- ---- making ----

-- "scale: expected more than 0, got -1", or nil.
local function fault_of(param, value)
  if value > param.lo and value < param.hi then return nil end
  local bounds = param.hi < math.huge and number.format("between %g and %g", param.lo, param.hi)
    or number.format("more than %g", param.lo)
  return number.format("%s: expected %s, got %g", param.name, bounds, value)
end

local function check_fitted(what, prior)
  if prior.loc ~= 0 then
    fail("%s: loc: expected 0 beside a fitted scale, got %s", what, number.text(prior.loc))
  end
  return prior
end

--- Raises for parameters of a density that are out of their bounds; default are those of the row.
-- @param row of core.densities
-- @param given table: numbers by name
function M.check_params(what, row, given)
  local list = {row.name}
  for i, param in ipairs(row.params) do
    list[i + 1] = given[param.name] or param.value
    local fault = fault_of(param, list[i + 1])
    if fault then fail("%s: %s", what, fault) end
  end
  local ok, message = fail.try(core.density_moments, list)
  if not ok then fail("%s: %s", what, (message:gsub("^.*out of range: [%w_]+: ", ""))) end
end

--- The function that makes a prior of a row of core.densities.
function M.maker(row)
  local what, can_fit = "bnn.prior." .. row.name, row.name == "normal"
  local spec = {}
  for _, param in ipairs(row.params) do
    spec[param.name] = {type = "number", default = param.value}
  end
  if can_fit then spec.scale.type = "number|string" end
  return function(opts)
    local prior = options.check(what, opts, spec)
    prior.name = row.name
    setmetatable(prior, Prior)
    if prior.scale == FITTED then return check_fitted(what, prior) end
    if type(prior.scale) == "string" then
      fail('%s: scale: expected a number or "fitted", got %s', what, kinds.show(prior.scale))
    end
    M.check_params(what, row, prior)
    return prior
  end
end

-- ---- what may stand for one ----

local function unknown(what, name)
  local names = options.sorted_names(rows)
  local near = nearest.find(name, names)
  fail("%s: expected one of %s, got '%s'%s", what, table.concat(names, ", "), strings.shown(name),
    near and (": did you mean '%s'?"):format(near) or "")
end

local by_name = {} -- names that were resolved, with their defaults

--- The prior that a number, a name, a prior or a function stands for.
-- @param what string: the option, for messages
-- @param given what a user gives, not by path
-- @return prior; of a function its field `density` is that function
function M.resolve(what, given)
  if kinds.is_object(given, "prior") then return given end
  if type(given) == "string" then
    if not rows[given] then unknown(what, given) end
    by_name[given] = by_name[given] or M.maker(rows[given]){}
    return by_name[given]
  end
  if type(given) == "number" then
    return setmetatable({name = "normal", loc = 0, scale = given}, Prior)
  end
  if options.accept(given, "function") then return setmetatable({density = given}, Prior) end
  fail.expected(what, "a number, a name, a prior or a function of the weights", given)
end

--- The prior of a tensor, from what is given for all or by path.
function M.at(given, path) return M.resolve("prior", param_options.value(given, path)) end

--- What is wrong with a prior that is given, in words, or nil; raises for a value that is none.
-- @param what string: the function, for messages
-- @param names list: paths of the tensors that want a prior
function M.check(what, given, names)
  local fault = param_options.fault("prior", given, names)
  if fault then fail("%s: %s", what, fault) end
  for _, name in ipairs(names) do
    local value = param_options.value(given, name)
    if type(value) == "number" and not (value > 0 and value < math.huge) then
      fail("%s: prior: expected more than 0, got %s", what, number.text(value))
    end
    M.resolve(what .. ": prior", value)
  end
end

--- Whether its scale is fitted to the posterior.
function M.is_fitted(prior) return prior.scale == FITTED end

local function layer_of(path) return path:match "^(.*)/[^/]*$" or path end

--- Whether tensor i of a list shares its fitted scale with the one before: both are of one layer,
-- and the same prior was given for both.
-- @param given a prior for all, or by path
-- @param names list of paths; those of a layer stand together
function M.joins(given, names, i)
  if i == 1 or layer_of(names[i]) ~= layer_of(names[i - 1]) then return false end
  local prior = M.at(given, names[i])
  return M.is_fitted(prior) and rawequal(prior, M.at(given, names[i - 1]))
end

--- The roots of the mean of E w^2 to which the scales of tensors are fitted.
-- @param rms list: those of each tensor, false of a posterior that has none
-- @param sizes list: elements of each tensor
-- @return list: of tensors that share a scale that of all of them
function M.fitted_rms(given, names, rms, sizes)
  local list, first = {}, 1
  for i = 1, #names do
    if not M.joins(given, names, i) then first = i end
    local sum, size = 0, 0
    for k = first, i do sum, size = sum + (rms[k] or 0) ^ 2 * sizes[k], size + sizes[k] end
    for k = first, i do list[k] = rms[k] and (size > 0 and math.sqrt(sum / size) or 0) end
  end
  return list
end

--- The standard deviation of a prior N(0, s^2), for which a KL may have a closed form; or nil.
-- @param rms number: the root of the mean of E w^2, to which a scale is fitted
function M.std(prior, rms)
  if prior.name ~= "normal" or prior.loc ~= 0 then return nil end
  if M.is_fitted(prior) then return rms and math.max(rms, LEAST_FITTED) end
  return prior.scale
end

--- How a step takes the prior of a tensor: the precision of N(0, s^2), or a density {name,
-- parameters...} or "fitted"; neither of a function, which is part of the program.
-- @return number, 0 where it is another; list, string or false
function M.in_step(prior)
  if M.is_fitted(prior) then return 0, FITTED end
  local std = M.std(prior)
  if std then return 1 / std / std, false end
  return 0, not prior.density and packed(prior)
end

--- log of the density over ops, with which a program is recorded: elementwise or summed.
function M.recorded_log_prob(prior, w, path)
  if not prior.density then return prior:log_prob(w) end
  local value = prior.density(w, path)
  return expect.tensor(strings.message("prior of '%s'", path), value, "its log density, a tensor")
end

--- The sum of log densities over a tensor, a number.
function M.log_prob(prior, w, path)
  if prior.density then return M.recorded_log_prob(prior, w, path):sum():item() end
  return core.density_log_prob(packed(prior), w:contiguous())
end

-- ---- as data ----

-- A value that is not given by path.
local function describe_one(given)
  if type(given) == "number" then return given end
  local prior = M.resolve("prior", given)
  if prior.density then return {own = true} end
  local data = {name = prior.name}
  for _, param in ipairs(rows[prior.name].params) do data[param.name] = prior[param.name] end
  return data
end

local function is_by_path(given) return type(given) == "table" and not getmetatable(given) end

--- A prior as data, of which `of_data` makes it again: a number, {name=, parameters by name},
-- {own = true} of a function, or {by_path = table of these}.
function M.describe(given)
  if not is_by_path(given) then return describe_one(given) end
  local by_path = {}
  for path, value in pairs(given) do by_path[path] = describe_one(value) end
  return {by_path = by_path}
end

-- A prior of data that are not by path; or nil.
local function one_of_data(data)
  if options.accept(data, {type = "number", above = 0}) then return data end
  if type(data) ~= "table" or not rows[data.name] then return nil end
  local opts = {}
  for name, value in pairs(data) do
    if name ~= "name" then opts[name] = value end
  end
  local ok, prior = fail.try(M.maker(rows[data.name]), opts)
  return ok and prior or nil
end

--- The prior that data describe; nil where they are of a function of one's own, or of none.
-- @param data as describe gives them, from anywhere
function M.of_data(data)
  local by_path = type(data) == "table" and data.by_path
  if type(by_path) ~= "table" then return one_of_data(data) end
  local given = {}
  for path, value in pairs(by_path) do
    given[path] = one_of_data(value)
    if given[path] == nil then return nil end
  end
  return given
end

--- A prior in a few words, for the text of an objective: "1", "laplace{loc=0, scale=0.1}",
-- "density" of a function, "by path".
function M.text(given)
  if type(given) == "number" then return number.format("%g", given) end
  return is_by_path(given) and "by path" or tostring(M.resolve("prior", given))
end

return M
