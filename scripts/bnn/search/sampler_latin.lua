--- Latin hypercube: of n trials, each parameter has one in every nth of its range (McKay, Beckman
-- and Conover, Technometrics 21, 1979). n is `size`, or else the number of trials of the sweep.
-- Trials beyond n belong to further hypercubes. A trial that constraints exclude is replaced by a
-- random one, so then the strata have about one trial.
local draws = require "bnn.search.methods.draws"
local fail = require "bnn.base.fail"
local sampler = require "bnn.search.sampler"

-- The strata of a parameter in a design, from 0, which are made when they are needed.
local function strata_of(key, size)
  return setmetatable({}, {__index = function(self, design)
    local list = draws.permutation(key:fold "strata":fold(design), size)
    self[design] = list
    return list
  end})
end

local function new(space, opts)
  local size = opts.size or opts.trials
  if not size then
    fail("%s: expected size= or trials=, the number of trials, got neither", opts.what)
  end
  local strata = {}
  for _, parameter in ipairs(space.parameters) do
    strata[parameter.name] = strata_of(opts.key:fold(parameter.name), size)
  end
  return function(number)
    local design, place = (number - 1) // size, (number - 1) % size + 1
    return sampler.redraw(opts.what, space, opts.key:fold(number), function(key, attempt)
      return space:at(function(name)
        local u = draws.uniform(key:fold(name))
        return attempt > 0 and u or (strata[name][design][place] - 1 + u) / size
      end)
    end)
  end
end

return {name = "latin", learns = false, options = {size = {type = "integer", min = 1}}, new = new}
