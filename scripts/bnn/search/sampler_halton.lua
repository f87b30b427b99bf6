--- Halton's sequence as a search: points that fill the space evenly, for any number of parameters.
-- The d-th parameter of the space has the d-th prime as its base, with permuted digits. Trial n is
-- point n - 1, a function of the key and n alone; points that constraints exclude are passed over.
local halton_points = require "bnn.search.methods.halton_points"
local sampler = require "bnn.search.sampler"

local function new(space, opts)
  local permutations = {}
  for d, parameter in ipairs(space.parameters) do
    permutations[d] = halton_points.permutations(opts.key:fold(parameter.name), d)
  end
  return sampler.sequence(opts.what, space, function(n)
    return space:at(function(_, d)
      return halton_points.point(n, d, opts.scramble and permutations[d])
    end)
  end)
end

return {name = "halton", learns = false, options = {scramble = {type = "boolean", default = true}},
        new = new}
