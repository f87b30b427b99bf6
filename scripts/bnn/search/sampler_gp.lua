--- Bayesian optimisation by a Gaussian process with expected improvement: of completed trials, as
-- Optuna's GPSampler has it.
--
-- The first trials, 10, are random. Then a process (bnn.search.methods.gp) is fitted to the values,
-- standardised, over the parameters without a condition: numbers mapped to [0, 1], logarithms and
-- steps as in their domains, choices as different or equal; the point with the largest log EI
-- (bnn.search.methods.acquisition) is proposed. Running trials count with the value that the
-- process predicts for them (the kriging believer; D. Ginsbourger et al., 2010), where Optuna
-- averages over 128 draws. Conditional parameters are drawn at random; pruned and failed trials are
-- not used. Of more than 500 trials it uses the best 250 and the newest others; of more than 250 it
-- fits the lengths to 250.
local acquisition = require "bnn.search.methods.acquisition"
local draws = require "bnn.search.methods.draws"
local gp = require "bnn.search.methods.gp"
local sampler = require "bnn.search.sampler"
local sobol_points = require "bnn.search.methods.sobol_points"
local trials = require "bnn.search.trials"

local MOST, FITTED, CANDIDATES, SEARCHES, WORK = 500, 250, 2048, 8, 400000

-- The parameters that the process knows.
local function joint_parameters(space)
  local list = {}
  for _, parameter in ipairs(space.parameters) do
    local domain = parameter.domain
    if not domain.parent and domain:count() ~= 1 then list[#list + 1] = parameter end
  end
  return list
end

-- A trial's inputs; nil if its configuration is not one of the space.
local function row_of(parameters, cfg)
  local row = {}
  for k, parameter in ipairs(parameters) do
    local domain, v = parameter.domain, cfg[parameter.name]
    if v == nil or not domain:has(v) then return nil end
    row[k] = domain.choices and domain:index(v) + 0.0 or domain:unit(v)
  end
  return row
end

-- The value of an input.
local function value_of(domain, x)
  if domain.choices then return domain:value(math.floor(x)) end
  local low, high = domain:interval()
  return domain:from_coordinate(low + x * (high - low))
end

-- Of many trials the best half and the newest others, by number.
local function chosen(completed)
  if #completed <= MOST then return completed end
  local list, is_in = {}, {}
  for i = 1, MOST // 2 do is_in[completed[i]] = true end
  table.sort(completed, function(a, b) return a.number > b.number end)
  for _, trial in ipairs(completed) do
    if is_in[trial] or #list < MOST // 2 then list[#list + 1] = trial end
  end
  return list
end

-- The values as numbers to maximise, of mean 0 and variance 1; infinite ones as the worst finite.
local function standardised(list)
  local worst, best, n, sum, squares = -math.huge, math.huge, #list, 0, 0
  for _, trial in ipairs(list) do
    if trial.loss < math.huge then worst = math.max(worst, trial.loss) end
    if trial.loss > -math.huge then best = math.min(best, trial.loss) end
  end
  if worst == -math.huge or best == math.huge then worst, best = 0, 0 end
  local y = {}
  for i, trial in ipairs(list) do
    y[i] = -math.max(best, math.min(worst, trial.loss))
    sum = sum + y[i] / n
  end
  for i = 1, n do squares = squares + (y[i] - sum) ^ 2 / n end
  local scale = squares > 0 and squares < math.huge and 1 / math.sqrt(squares) or 0
  for i = 1, n do y[i] = (y[i] - sum) * scale end
  return y
end

-- What the search for the next point needs of the parameters.
local function problem_of(parameters)
  local problem = {choices = {}, values = {}, smooth = {}}
  for k, parameter in ipairs(parameters) do
    local domain = parameter.domain
    local count = domain:count()
    problem.choices[k] = domain.choices ~= nil
    if not count then problem.smooth[#problem.smooth + 1] = k end
    for i = 1, count or 0 do
      problem.values[k] = problem.values[k] or {}
      problem.values[k][i] = domain.choices and i + 0.0 or domain:unit(domain:value(i))
    end
  end
  return problem
end

-- Points of the space to begin with: scrambled Sobol points, on the steps and choices there are.
local function candidates_of(problem, key, count, d)
  local list = {}
  for i = 1, count do list[i] = {} end
  for k = 1, d do
    local values = problem.values[k]
    local column = sobol_points.column(count, (k - 1) % sobol_points.DIMENSIONS + 1,
      draws.bits32(key:fold(k)))
    for i = 1, count do
      local u = column[i]
      list[i][k] = values and values[math.floor(u * #values) + 1] or u
    end
  end
  return list
end

-- Rows, values, and the row of the best value, of trials that can be used.
local function observations(parameters, list)
  local rows, kept = {}, {}
  for _, trial in ipairs(list) do
    local row = row_of(parameters, trial.config)
    if row then rows[#rows + 1], kept[#kept + 1] = row, trial end
  end
  local y, best = standardised(kept), 1
  for i = 1, #y do
    if y[i] > y[best] then best = i end
  end
  return rows, y, best
end

-- The process with running trials at their predicted values.
local function with_running(process, parameters, history, rows, y)
  local more = {}
  for _, trial in ipairs(trials.in_state(history, {running = true})) do
    more[#more + 1] = row_of(parameters, trial.config)
  end
  if #more == 0 then return process end
  local mean = process:predict(more)
  rows, y = table.move(rows, 1, #rows, 1, {}), table.move(y, 1, #y, 1, {})
  table.move(more, 1, #more, #rows + 1, rows)
  table.move(mean, 1, #mean, #y + 1, y)
  return process:observe(rows, y) or process
end

-- A function (key) -> inputs of the next trial; nil if no process can be fitted.
local function learned(parameters, history, completed)
  local problem = problem_of(parameters)
  local rows, y, best = observations(parameters, chosen(completed))
  local process = rows[1] and gp.new(rows, y, problem.choices, FITTED)
  if not process then return nil end
  problem.best = y[best]
  problem.process = with_running(process, parameters, history, rows, y)
  local count = math.min(CANDIDATES, WORK // #rows)
  return function(key)
    return acquisition.maximise(problem, candidates_of(problem, key, count, #parameters),
      {rows[best]}, draws.uniforms(key:fold "searches", SEARCHES))
  end
end

local function new(space, opts)
  sampler.one_objective(opts.what, opts)
  local parameters = joint_parameters(space)
  return function(number, history)
    local key = opts.key:fold(number)
    local completed = trials.in_state(trials.ranked(history), {completed = true})
    local draw = #completed >= opts.startup_trials and #parameters > 0
      and learned(parameters, history, completed)
    return sampler.redraw(opts.what, space, key, function(k, attempt)
      if not draw or attempt > 4 then return sampler.random(opts.what, space, k) end
      local x, place = draw(k:fold "gp"), {}
      for i, parameter in ipairs(parameters) do place[parameter.name] = i end
      return space:build(function(name, domain)
        if place[name] then return value_of(domain, x[place[name]]) end
        return domain:at(draws.uniform(k:fold(name)))
      end)
    end)
  end
end

return {
  name = "gp", learns = true, new = new,
  options = {startup_trials = {type = "integer", min = 1, default = 10}},
}
