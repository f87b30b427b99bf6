--- Sobol's sequence as a search: points that fill the space evenly, whatever their number, and
-- whose first 2^k are a net. Parameters are dimensions in the order of the space. Trial n is point
-- n - 1, a function of the key and n alone; points that constraints exclude are passed over.
local draws = require "bnn.search.methods.draws"
local fail = require "bnn.base.fail"
local sampler = require "bnn.search.sampler"
local sobol_points = require "bnn.search.methods.sobol_points"

local function new(space, opts)
  if #space.parameters > sobol_points.DIMENSIONS then
    fail("%s: expected at most %d parameters, got %d", opts.what, sobol_points.DIMENSIONS,
      #space.parameters)
  end
  local seeds = {}
  for i, parameter in ipairs(space.parameters) do
    seeds[i] = draws.bits32(opts.key:fold(parameter.name))
  end
  return sampler.sequence(opts.what, space, function(n)
    return space:at(function(_, d)
      local x = sobol_points.point(n, d)
      return sobol_points.unit(opts.scramble and sobol_points.scramble(x, seeds[d]) or x)
    end)
  end)
end

return {name = "sobol", learns = false, options = {scramble = {type = "boolean", default = true}},
        new = new}
