--- Gaussian noise under the name of its density, as the other densities are called.
local gaussian = require "bnn.model.likelihoods.gaussian_likelihood"

return {
  name = "normal",
  doc = [[
normal{...}: as bnn.likelihood.gaussian, with the deviation called as that of the prior is.
    bnn.likelihood.normal{scale = 0.1}
@param scale the noise's standard deviation, above 0; without it the network gives its logarithm
@return likelihood]],
  options = {scale = {type = "number", above = 0}},
  examples = {{options = {scale = 0.5}}, {second = 1}},
  make = function(opts) return gaussian.make({sigma = opts.scale}, "normal", "scale") end,
}
