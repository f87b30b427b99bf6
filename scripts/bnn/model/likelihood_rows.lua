--- The table of likelihoods: a file each in the folder likelihoods (see likelihood_help.lua there),
-- and a row here for each; then the densities that any real number may have.
local core = require "bnn.core"
local density_likelihood = require "bnn.model.density_likelihood"

local FILES = {
  "categorical",
  "ordinal",
  "bernoulli",
  "poisson",
  "negative_binomial",
  "binomial",
  "gaussian",
  "normal",
  "log_normal",
  "gamma",
  "beta",
}

local rows, has_row = {}, {}
for i, name in ipairs(FILES) do
  rows[i], has_row[name] = require("bnn.model.likelihoods." .. name .. "_likelihood"), true
end
for _, density in ipairs(core.densities()) do
  rows[#rows + 1] = not has_row[density.name] and density_likelihood.row(density) or nil
end

return rows
