--- Random search: every parameter uniform in its domain, by its own key (Bergstra and Bengio,
-- "Random search for hyper-parameter optimization", JMLR 13, 2012).
local sampler = require "bnn.search.sampler"

local function new(space, opts)
  return function(number) return sampler.random(opts.what, space, opts.key:fold(number)) end
end

return {name = "random", learns = false, new = new}
