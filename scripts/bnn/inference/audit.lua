--- What an objective really is: for each tensor the temperature that beta stands for, and whether
-- the whole is an ELBO. "1/N or 1/M? sum or mean?" is the most asked question of the field.
--
-- With weight w_t beside a tensor's KL and N examples, beta stands for the temperature
-- T = beta w_t N there; weight T with prior deviation s has the same optimum as the whole
-- posterior, with prior deviation s / sqrt(T), raised to 1/T.
local core = require "bnn.core"
local estimators = require "bnn.inference.estimators"
local fail = require "bnn.base.fail"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"
local table_text = require "bnn.base.table_text"

local M = {}

-- The beta that is spoken of, and the step it is of.
local function audited_beta(objective, step)
  if step then return objective:beta_at(step), step end
  if objective.last then return objective.last.beta, objective.last.step end
  return objective:beta_at(1), 1
end

-- beta of each tensor of the posterior, by name.
local function beta_by_name(objective, beta)
  local by_name = {}
  for i, name in ipairs(objective.posterior:names()) do
    by_name[name] = type(beta) == "table" and beta[i] or type(beta) == "number" and beta or nil
  end
  return by_name
end

--- The rows of the table, as data: list of {name=, shape=, kl=, temperature=, prior_std=, prior=,
-- estimator=}; prior_std is nil for a prior that is no N(0, s^2), whose kl is an estimate; prior is
-- its text; estimator is nil of reparameterization, and until a step was made.
-- @param step integer: whose beta; the last step that was made when left out
function M.rows(objective, step, key)
  if not objective.posterior then
    fail "objective:audit: expected an objective with a posterior, got one with params"
  end
  if not objective.data_size then
    fail("%s: expected data_size=, the number of training examples, for an audit", objective.what)
  end
  local beta = beta_by_name(objective, (audited_beta(objective, step)))
  local terms = objective.posterior:kl_terms{prior = objective.prior, kl = objective.kl,
                                             key = key or core.key(0)}
  local rows, own, stds = {}, objective.posterior:priors_of(objective.prior)
  for i, term in ipairs(terms) do
    local own_beta = beta[term.name] or audited_beta(objective, step)
    local temperature = own_beta * term.weight * objective.data_size
    rows[i] = {name = term.name, shape = term.shape, kl = term.kl, temperature = temperature,
               prior = own[i] and (own[i].name or "density"),
               estimator = objective.estimated and objective.estimated[term.name],
               prior_std = stds[i] and stds[i] / math.sqrt(temperature) or nil}
  end
  return rows
end

-- "beta 0.001", or that it differs.
local function beta_text(beta)
  if type(beta) == "number" then return number.format("beta %.6g", beta) end
  return "a beta for each tensor"
end

-- One sentence on whether these temperatures make an ELBO.
local function verdict(rows)
  local lowest, highest = math.huge, -math.huge
  for _, row in ipairs(rows) do
    lowest, highest = math.min(lowest, row.temperature), math.max(highest, row.temperature)
  end
  local function near(a, b) return math.abs(a - b) <= 1e-3 * math.abs(b) end
  if near(lowest, 1) and near(highest, 1) then
    return "This is an exact ELBO: every temperature is 1."
  end
  if near(lowest, highest) then
    local tempered = "This is not an exact ELBO: it is tempered, at temperature %.4g throughout."
    return number.format(tempered, lowest)
  end
  local mixed = "This is not an ELBO: its temperatures differ, from %.4g to %.4g."
  return number.format(mixed, lowest, highest)
end

-- How a row's tensor is drawn, as a last column, if the objective says it.
local HEAD = {"tensor", "shape", "KL", "temperature", "prior std"}

local function head_of(objective)
  if not objective.estimated then return HEAD end
  local head = table.move(HEAD, 1, #HEAD, 1, {})
  head[#head + 1] = "estimator"
  return head
end

-- What is not known yet of an estimator's table.
local function estimator_text(objective)
  if objective.estimated or not estimators.has_spread(objective.estimator) then return "" end
  return (" Once a step was made, audit says which tensors %s covers."):format(objective.estimator)
end

--- Prints the table, and whether this is an exact ELBO.
-- @param opts table: step=, out=io.stdout, key=
-- @return list: the rows
function M.print(objective, opts)
  opts = options.check("objective:audit", opts, {
    step = {type = "integer", min = 1},
    out = {type = "any", default = io.stdout},
    key = "key",
  })
  local rows, lines = M.rows(objective, opts.step, opts.key), {}
  local beta, step = audited_beta(objective, opts.step)
  for i, row in ipairs(rows) do
    lines[i] = {row.name, shapes.text(row.shape), number.fixed(row.kl, 2),
                number.fixed(row.temperature, 4),
                row.prior_std and number.fixed(row.prior_std, 2) or row.prior or "density",
                row.estimator}
  end
  local text = table_text.render(lines, head_of(objective))
  local what = ("%s, as at step %d, with %d examples"):format(beta_text(beta), step,
    objective.data_size)
  opts.out:write(text, text:find "\n$" and "" or "\n", what, ". ", verdict(rows),
    estimator_text(objective), "\n")
  return rows
end

return M
