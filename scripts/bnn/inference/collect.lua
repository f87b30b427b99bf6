--- Collectors: what bnn.train{collect =} keeps of the weights while it trains, and the posterior
-- that it makes of them. A collector is a value; a training's own is in its state, and in its
-- checkpoints.
local core = require "bnn.core"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local param_samples = require "bnn.params.param_samples"
local parameters = require "bnn.params.params"
local posterior = require "bnn.posterior.posterior"

local M = {}

local Collector = {__name = "bnn.collector"}
Collector.__index = Collector

local kinds = {} -- by name: options, start(self, layout), add(self, weights), posterior(self)

kinds.samples = {options = {"from", "every", "keep", "period"}}

function kinds.samples.start(self, size)
  self.buffer = core.zeros(self.keep, size)
end

-- The newest `keep`, in a ring.
function kinds.samples.add(self, weights)
  core.overwrite(self.buffer[self.count % self.keep + 1], weights)
end

function kinds.samples.posterior(self)
  local n, first = math.min(self.count, self.keep), self.count % self.keep
  local rows = self.buffer:narrow(1, 1, n)
  if self.count > self.keep and first > 0 then -- the oldest first
    rows = core.ops.concat({self.buffer:narrow(1, first + 1, n - first),
                            self.buffer:narrow(1, 1, first)}, 1)
  end
  return posterior.empirical(param_samples.new(self.layout, rows:clone()))
end

kinds.average = {options = {"from", "every", "period"}}

function kinds.average.start(self, size) self.buffer = core.zeros(1, size) end

function kinds.average.add(self, weights)
  local mean = self.buffer[1]
  core.overwrite(mean, mean + (weights - mean) * (1 / (self.count + 1)))
end

function kinds.average.posterior(self)
  return posterior.point(parameters.new(self.layout, self.buffer[1]:clone()))
end

-- The mean, the sum of squared distances from it (Welford 1962), the newest distances in a ring.
kinds.swag = {options = {"from", "every", "rank", "period"}}

function kinds.swag.start(self, size)
  self.buffer = core.zeros(2 + self.rank, size)
end

function kinds.swag.add(self, weights)
  local mean, squares = self.buffer[1], self.buffer[2]
  local miss = weights - mean
  core.overwrite(mean, mean + miss * (1 / (self.count + 1)))
  local rest = weights - mean
  core.overwrite(squares, squares + miss * rest)
  core.overwrite(self.buffer[self.count % self.rank + 3], rest)
end

function kinds.swag.posterior(self)
  local layout, n = parameters.state_last(self.layout)
  local covered = parameters.layout(table.move(layout, 1, n, 1, {}))
  local last = covered[n]
  local size = last.offset + last.size -- state is a point: no Gaussian of it is a variance
  local sigma = (self.buffer[2] * (1 / self.count)):sqrt():narrow(1, 1, size):clone()
  local rows = self.buffer:narrow(1, 3, math.min(self.count, self.rank)):narrow(2, 1, size):clone()
  return posterior.from_buffers("swag", {
    mu = parameters.new(self.layout, self.buffer[1]:clone()),
    sigma = parameters.new(covered, sigma),
    deviation = param_samples.new(covered, rows),
  })
end

local spec = {
  from = {type = "integer", min = 1},
  every = {type = "integer", min = 1, default = 1},
  keep = {type = "integer", min = 1, default = 50},
  rank = {type = "integer", min = 2, default = 20},
  period = {type = "integer", min = 1},
}

local function make(kind, opts)
  local own = {}
  for _, name in ipairs(kinds[kind].options) do own[name] = spec[name] end
  local self = options.check("bnn.collect." .. kind, opts, own)
  if self.period and (self.from or 1) > self.period then
    fail("bnn.collect.%s: from: expected a step of the cycle, at most period = %d, got %d", kind,
      self.period, self.from)
  end
  self.kind = kind
  return setmetatable(self, Collector)
end

--- Keeps the weights after steps from, from + every, ...: the newest of them, as samples of the
-- posterior.
--     local q = bnn.train{objective = objective, optimizer = bnn.sampler.sgld{lr = 1e-3},
--                         data = data.train, steps = 20, batch_size = 16, key = key,
--                         collect = bnn.collect.samples{keep = 10}}:posterior()
-- With a cyclical sampler (Zhang et al. 2020) they are the weights of the part of each cycle in
-- which it samples; while it explores it draws no noise:
--     local sampler = bnn.sampler.sghmc{
--       lr = bnn.schedule.cyclical{period = 10, from = 1e-3},
--       noise = bnn.schedule.cyclical{period = 10, of = bnn.schedule.piecewise{{1, 0}, {6, 1}}},
--     }
--     local collect = bnn.collect.samples{period = 10, from = 6, keep = 12}
-- @param opts table:
--   from    the first step; those before are burn-in. Default the step after the sampler's burn_in,
--           1 without such an option
--   every   steps between two, 1
--   keep    the newest so many, 50; memory for all is taken at the start
--   period  steps of a cycle: from and every then count within each cycle, and the sampler's
--           burn_in is left out besides; default one cycle without end
-- @return collector; state:posterior() is then empirical
-- Raises if from is past the end of a cycle.
function M.samples(opts) return make("samples", opts) end

--- Keeps the weights at the end of each cycle of the learning rate: a snapshot ensemble (Huang et
-- al. 2017), several networks for the price of one training. The rate rises again after each
-- snapshot, so that the next one is another optimum: a cycle needs as many steps as it takes to
-- get near one. Ensembles of networks from different starts (bnn.ensemble) differ more, and cost a
-- training each.
--     local period = 2000
--     local lr = bnn.schedule.cyclical{period = period, from = 0.1}
--     local state = bnn.train{
--       objective = objective, optimizer = bnn.optim.sgd{lr = lr, momentum = 0.9},
--       data = data.train, steps = 5 * period, key = key,
--       collect = bnn.collect.snapshots{period = period},
--     }
-- @param opts table:
--   period  steps of a cycle, as of bnn.schedule.cyclical; required
--   keep    the newest so many, 50; memory for all is taken at the start
-- @return collector, samples{period=, from=period}; state:posterior() is then empirical
function M.snapshots(opts)
  local own = {period = {type = "integer", min = 1, required = true}, keep = spec.keep}
  opts = options.check("bnn.collect.snapshots", opts, own)
  return make("samples", {period = opts.period, from = opts.period, keep = opts.keep})
end

--- Averages the weights after steps from, from + every, ...: stochastic weight averaging (Izmailov
-- et al. 2018), for any optimizer: one better network, whose predictions cost no more.
--     local q = bnn.train{objective = objective, optimizer = bnn.optim.sgd{lr = 1e-2},
--                         data = data.train, steps = 20, batch_size = 16, key = key,
--                         collect = bnn.collect.average()}:posterior()
-- It is the plain average, for a constant lr or a cyclical one (of which from = period averages the
-- ends of the cycles). Running statistics of bnn.nn.batch_norm are averaged too; those of the
-- averaged network are another pass over the data: bnn.update_statistics.
-- @param opts table: from=, every=1, period=, as for samples
-- @return collector; state:posterior() is then a point
function M.average(opts) return make("average", opts) end

--- Fits a Gaussian to the weights after steps from, from + every, ...: SWAG (Maddox et al. 2019,
-- algorithm 1). Its mean is their average; its covariance is half their variances and half the low
-- rank of their last `rank` distances from the average so far. For a network that is trained: a
-- posterior for some more steps at a constant rate, the larger the wider.
--     local q = bnn.train{objective = objective, optimizer = bnn.optim.sgd{lr = 1e-2},
--                         data = data.train, steps = 20, batch_size = 16, key = key,
--                         collect = bnn.collect.swag{rank = 5}}:posterior()
-- @param opts table: from=, every=1, period=, as for samples; rank=20: memory for 2 more is taken
--   at the start
-- @return collector; state:posterior() is then of the family "swag"
function M.swag(opts) return make("swag", opts) end

local function copy(self)
  local own = setmetatable({}, Collector)
  for name, value in pairs(self) do own[name] = value end
  return own
end

--- The same for a training whose first steps are burn-in: it begins after them unless `from` says
-- otherwise.
-- @param steps integer: as optimizer:burn_in() gives them
function Collector:after_burn_in(steps)
  if steps == 0 or self.from and not self.period then return self end
  local own = copy(self)
  if self.period then own.burn_in = steps else own.from = steps + 1 end
  return own
end

--- The collector of a training, with memory of its own and nothing collected.
-- @param target posterior: what is trained; its mean is what is collected
function Collector:start(target)
  local own = copy(self)
  own.from, own.count, own.target, own.layout = own.from or 1, 0, target, target:layout()
  kinds[self.kind].start(own, target:numel())
  return own
end

-- Whether the weights after a step are collected.
local function is_due(self, step)
  local at = self.period and (step - 1) % self.period + 1 or step
  return step > (self.burn_in or 0) and at >= self.from and (at - self.from) % self.every == 0
end

--- Collects after a step, if one is due.
function Collector:after(step)
  if not is_due(self, step) then return end
  kinds[self.kind].add(self, self.target.core:mean())
  self.count = self.count + 1
end

--- The posterior that has been collected, which later steps do not change.
function Collector:posterior()
  if (self.count or 0) == 0 then
    local of = self.period and (" of a cycle of %d"):format(self.period) or ""
    fail("state:posterior: expected steps from %d%s on, after which the collector collects, got "
      .. "none", self.from or 1, of)
  end
  return kinds[self.kind].posterior(self)
end

--- A copy that shares nothing but the posterior that is trained.
function Collector:clone()
  local own = copy(self)
  own.buffer = self.buffer:clone()
  return own
end

--- What it is made of: {count=, buffer= tensor}, of which `restore` goes on.
function Collector:state_dict() return {count = self.count, buffer = self.buffer} end

--- Goes on from what state_dict gave.
-- @return true; or nil, message
function Collector:restore(record)
  local n = self.buffer:numel()
  if record.buffer:numel() ~= n then
    return nil, ("expected %d collected numbers, got %d"):format(n, record.buffer:numel())
  end
  core.overwrite(self.buffer:view(n), record.buffer:contiguous():view(n))
  self.count = record.count
  return true
end

expect_model.check_methods(Collector, "collector", expect_model.has "kind")

function Collector.__tostring(self)
  local parts = {}
  for i, name in ipairs(kinds[self.kind].options) do
    if name ~= "period" then
      parts[i] = name .. "=" .. number.text(self[name] or 1)
    elseif self.period then
      parts[i] = "period=" .. self.period
    end
  end
  return ("%s{%s}"):format(self.kind, table.concat(parts, ", "))
end

return M
