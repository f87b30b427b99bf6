--- Which parameters mattered, by PED-ANOVA.
--
-- Watanabe, Bansal, Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
-- Arbitrary Subspaces" (IJCAI 2023): the importance of a parameter is the Pearson divergence of its
-- density among the best trials from that among all, sum_x p(x) (p_best(x) / p(x) - 1)^2. It needs
-- no random forest, knows conditional parameters, and is the same each time; Optuna 5 takes it by
-- default.
local options = require "bnn.base.options"
local parameter_columns = require "bnn.search.analysis.parameter_columns"
local parzen_grid = require "bnn.search.analysis.parzen_grid"

local M = {}

local LEAST_TRIALS, QUANTILE, LEAST_BEST = 10, 0.1, 5
local TINY = 1e-12 -- added to densities

-- Trials whose objective is a finite number, and these, sign changed for "max", by trial.
local function finite_trials(values, n, mode)
  local trials, losses = {}, {}
  for i = 1, n do
    local v = values[i]
    if v ~= nil and v - v == 0 then
      trials[#trials + 1], losses[i] = i, mode == "max" and -v or v
    end
  end
  return trials, losses
end

-- The best trials: so many, and those that equal the last of them.
local function best_of(trials, losses, count)
  local sorted, best = {}, {}
  for k, i in ipairs(trials) do sorted[k] = losses[i] end
  table.sort(sorted)
  for _, i in ipairs(trials) do
    if losses[i] <= sorted[count] then best[#best + 1] = i end
  end
  return best
end

local function with_parameter(column, trials)
  local list = {}
  for _, i in ipairs(trials) do
    if column.values[i] ~= nil then list[#list + 1] = i end
  end
  return list
end

local LEAST_WITH = 2 -- trials that have a parameter

-- The divergence of a parameter, where it exists, among the best trials from that among all.
local function divergence(column, best, all)
  local some, some_best = with_parameter(column, all), with_parameter(column, best)
  if #some < LEAST_WITH or #some_best == 0 or column.low == column.high then return 0 end
  local p_best, p = parzen_grid.density(column, some_best), parzen_grid.density(column, some)
  local sum = 0
  for k, v in ipairs(p) do sum = sum + (v + TINY) * ((p_best[k] + TINY) / (v + TINY) - 1) ^ 2 end
  return (#some_best / #best) ^ 2 / (#some / #all) * sum
end

-- Divergences as shares of their sum, the greatest first; equal ones in the order given.
local function shares(columns, divergences)
  local sum, list = 0, {}
  for _, v in ipairs(divergences) do sum = sum + v end
  for i, column in ipairs(columns) do
    local share = sum > 0 and divergences[i] / sum or 1 / #columns
    list[i] = {name = column.name, importance = share, place = i}
  end
  table.sort(list, function(a, b)
    if a.importance ~= b.importance then return a.importance > b.importance end
    return a.place < b.place
  end)
  for _, item in ipairs(list) do item.place = nil end
  return list
end

--- Computes which parameters mattered: how much the values of each among the best trials differ
-- from those among all, by PED-ANOVA (Watanabe et al. 2023).
--     local accuracy = {0.9, 0.5, 0.8, 0.4, 0.9, 0.3, 0.8, 0.5, 0.7, 0.2}
--     local lr = {1e-3, 0.1, 2e-3, 0.1, 1e-3, 0.5, 2e-3, 0.1, 3e-3, 1}
--     local opt = {"adam", "sgd", "sgd", "adam", "adam", "sgd", "adam", "sgd", "sgd", "adam"}
--     local list = bnn.importance{values = accuracy, mode = "max", parameters = {
--       {name = "lr", values = lr, log = true}, {name = "opt", values = opt},
--     }}
--     for _, p in ipairs(list) do print(p.name, p.importance) end      -- lr 0.99, opt 0.01
-- An importance is high if the best trials have few of the values that a parameter was tried at. It
-- does not say which, nor does it know parameters that matter only together. With few trials it is
-- mostly noise.
-- @param opts table:
--   values= the objective of each trial; nil or nan where there is none
--   parameters= a list of {name=, values= of each trial, nil where it lacks the parameter; log=true
--     for a logarithmic scale; low=, high= its range (default: that of the values); step= of
--     integers and ranges; choices= a list, for categories (default: if not all values are
--     numbers)}
--   mode="min" or "max"
--   quantile= share of the trials that count as best (default: 0.1, and at least 5 trials)
-- @return list of {name=, importance=}, which sum up to 1, the greatest first; or nil, message if
--   fewer than 10 trials have a value, or all the same one
function M.importance(opts)
  local what = "bnn.importance"
  opts = options.check(what, opts, {
    values = {type = "table", required = true},
    parameters = {type = "table", list = true, required = true},
    mode = {type = "string", choices = {"min", "max"}, default = "min"},
    quantile = {type = "number", above = 0, max = 1},
  })
  local n = parameter_columns.length(opts.values)
  parameter_columns.check_numbers(what .. ": values", opts.values, n)
  local columns = parameter_columns.read_all(what, opts.parameters, n)
  local all, losses = finite_trials(opts.values, n, opts.mode)
  if #all < LEAST_TRIALS then
    return nil, ("importance: expected at least %d trials with a value, got %d"):format(
      LEAST_TRIALS, #all)
  end
  local count = math.ceil((opts.quantile or QUANTILE) * #all)
  local best = best_of(all, losses, opts.quantile and count or math.max(count, LEAST_BEST))
  if #best == #all then
    return nil, ("importance: expected values that differ, got %d trials of which all are best")
      :format(#all)
  end
  local divergences = {}
  for i, column in ipairs(columns) do divergences[i] = divergence(column, best, all) end
  return shares(columns, divergences)
end

return M
