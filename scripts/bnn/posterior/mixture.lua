--- Mixtures of posteriors over the same weights, which predict together: bnn.posterior.mixture.
-- The runtime says which component a sample is of (runtime/inference/posterior_mixture.h); all else
-- follows from the components.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local posteriors = require "bnn.posterior.posterior_class"
local shapes = require "bnn.base.shapes"

local M = {}

local Posterior = posteriors.Posterior
local Mixture = setmetatable({__name = "bnn.posterior", __parts = Posterior.__parts},
  {__index = Posterior})
Mixture.__index = Mixture

local LEAST = 1e-4 -- of all weight, that a component may have
local SHOWN = 6    -- families in a text

-- Raises unless two posteriors have the same tensors in the same order.
local function check_layout(what, i, layout, first)
  for k = 1, math.max(#layout, #first) do
    local own, wanted = layout[k], first[k]
    local is_same = own and wanted and own.name == wanted.name
      and table.concat(own.shape, ",") == table.concat(wanted.shape, ",")
    local function text(entry)
      return entry and ("'%s' %s"):format(entry.name, shapes.text(entry.shape)) or "none"
    end
    if not is_same then
      fail("%s: posterior %d: expected %s for tensor %d, as in the first, got %s", what, i,
        text(wanted), k, text(own))
    end
  end
end

local function check_components(what, list)
  if #list == 0 then fail("%s: expected a posterior or more, got none", what) end
  for i, q in ipairs(list) do
    if q.defined then
      fail("%s: posterior %d: expected a family of the program, whose samples are weights, got %s: "
        .. "bnn.posterior.empirical(q:samples(key, n)) holds draws of it", what, i, q.family)
    end
    check_layout(what, i, q:layout(), list[1]:layout())
    if q:keeps_dropout() ~= list[1]:keeps_dropout() then
      fail("%s: posterior %d: expected %s dropout in predictions, as of the first", what, i,
        list[1]:keeps_dropout() and "one that keeps" or "one without")
    end
  end
end

-- The weights, of sum 1.
local function normalized(what, weights, n)
  local sum, list = 0, {}
  for i = 1, n do list[i] = weights and weights[i] or 1 end
  if weights and #weights ~= n then
    fail("%s: weights: expected %d, one for each posterior, got %d", what, n, #weights)
  end
  for _, w in ipairs(list) do sum = sum + w end
  for i, w in ipairs(list) do
    list[i] = w / sum
    if list[i] < LEAST then
      fail("%s: weights: expected each to be at least %s of their sum, got %s of %s", what,
        number.text(LEAST), number.text(w), number.text(sum))
    end
  end
  return list
end

--- bnn.posterior.mixture.
function M.new(opts)
  local what = "bnn.posterior.mixture"
  local weight = {type = "number", above = 0, list = true}
  opts = options.check(what, opts, {"posterior", weights = weight})
  local list, cores = table.move(opts, 1, #opts, 1, {}), {}
  check_components(what, list)
  for i, q in ipairs(list) do cores[i] = q.core end
  local self = {family = "mixture", components = list,
                weights = normalized(what, opts.weights, #list), n_covered = #list[1]:layout()}
  self.core = core.mixture(cores, self.weights)
  return setmetatable(self, Mixture)
end

-- The buffers of all components, by "1/mu", "2/mu".
function Mixture.buffers(self)
  local list = {}
  for i, q in ipairs(self.components) do
    for _, buffer in ipairs(q:buffers()) do
      list[#list + 1] = {name = i .. "/" .. buffer.name, params = buffer.params}
    end
  end
  return list
end

function Mixture.layout(self) return self.components[1]:layout() end

function Mixture.keeps_dropout(self) return self.components[1]:keeps_dropout() end

function Mixture.support(self, train)
  if train == nil then train = self:keeps_dropout() end
  for _, q in ipairs(self.components) do
    if not q:support(train) then return nil end
  end
  return Posterior.support(self, false)
end

-- The component that a number in [0, 1) falls to.
local function component_at(self, u)
  local last = #self.components
  for i = 1, last - 1 do
    u = u - self.weights[i]
    if u < 0 then return self.components[i] end
  end
  return self.components[last]
end

-- Without s, the key draws the component as well, and which of its samples, if they are finite.
function Mixture.sample(self, key, s)
  if s then return Posterior.sample(self, key, s) end
  local u = core.rand(expect.key("posterior:sample: key", key):fold "component", 2):totable()
  local own = component_at(self, u[1])
  local n = own:support()
  return own:sample(key, n and math.min(n, 1 + math.floor(u[2] * n)))
end

-- Running means, so that equal components give their bits.
function Mixture.mean(self)
  local mean, sum = self.components[1]:mean().flat, self.weights[1]
  for i = 2, #self.components do
    sum = sum + self.weights[i]
    mean = mean + (self.components[i]:mean().flat - mean) * (self.weights[i] / sum)
  end
  return parameters.new(self:layout(), mean)
end

-- The law of total variance: the mean of the variances and the variance of the means.
function Mixture.std(self)
  local mean, variance = self:mean().flat, nil
  for i, q in ipairs(self.components) do
    local std = q:std()
    if not std then return nil end
    local own = (std.flat ^ 2 + (q:mean().flat - mean) ^ 2) * self.weights[i]
    variance = variance and variance + own or own
  end
  return parameters.new(self:layout(), variance:sqrt())
end

function Mixture.clone(self)
  local copy = {weights = self.weights}
  for i, q in ipairs(self.components) do copy[i] = q:clone() end
  return M.new(copy)
end

expect_model.check_methods(Mixture, "posterior", expect_model.has "core")

-- "3 meanfield posteriors", "meanfield, swag".
local function families_text(self)
  local families, first = {}, self.components[1].family
  local is_one = true
  for i, q in ipairs(self.components) do
    families[i], is_one = q.family, is_one and q.family == first
  end
  if is_one then return ("%d %s posteriors"):format(#families, first) end
  local shown = table.concat(families, ", ", 1, math.min(#families, SHOWN))
  return shown .. (#families > SHOWN and ", ..." or "")
end

function Mixture.__tostring(self)
  return ("mixture of %s over %d parameters in %d tensors"):format(families_text(self),
    self:numel(), #self:layout())
end

return M
