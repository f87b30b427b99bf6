--- Priors of weights, a function for each density: bnn.prior.laplace{scale = 0.1}. Each weight has
-- the prior by itself.
--
-- prior= of bnn.elbo, bnn.objective and q:kl takes a number s for N(0, s^2), the name of a density
-- for its default parameters, a value of this module, a function(w, path) -> its log density over
-- ops, or a table of these by path:
--     local q = bnn.posterior.meanfield(net:init(key, x))
--     bnn.elbo{net = net, posterior = q, data_size = 1000, prior = "laplace"}
--     bnn.elbo{net = net, posterior = q, data_size = 1000, prior = {
--       ["mlp/linear_0"] = bnn.prior.scale_mixture{sigma1 = 1, sigma2 = 0.01}, default = 0.5}}
--
-- A weight outside of a density's support has the log density -inf and is not pulled. The KL of a
-- mean-field posterior from a Gaussian of mean 0 has a closed form. That from another density is
-- estimated with the weights that a step draws (Blundell et al. 2015, equation 2), its entropy part
-- exactly. A Gaussian's scale may be fitted, one for each layer:
--     bnn.elbo{net = net, posterior = q, data_size = 1000,
--              prior = bnn.prior.normal{scale = "fitted"}}
local core = require "bnn.core"
local number = require "bnn.base.number"
local priors = require "bnn.model.priors"

local M = {docs = {}}

local FITTED_DOC = [[, or "fitted": before each
  step the s of the largest ELBO, s^2 = the mean of mu^2 + sigma^2 over the tensors of a layer
  (empirical Bayes; of points the mean of w^2), at least 1e-4. By path, tensors with priors of their
  own have scales of their own]]

local function doc_of(row)
  local first = row.params[1]
  local lines = {
    ("%s{...}: %s, a prior"):format(row.name, row.doc),
    "    bnn.elbo{net = net, posterior = q, data_size = 1000,",
    number.format("             prior = bnn.prior.%s{%s = %.4g}}", row.name, first.name,
      first.value),
  }
  for _, param in ipairs(row.params) do
    local fitted = row.name == "normal" and param.name == "scale" and FITTED_DOC or ""
    lines[#lines + 1] = number.format("@param %s %s, %g by default", param.name, param.doc,
      param.value) .. fitted
  end
  lines[#lines + 1] = "@return prior"
  return table.concat(lines, "\n")
end

for _, row in ipairs(core.densities()) do
  M.docs[row.name], M[row.name] = doc_of(row), priors.maker(row)
end

return M
