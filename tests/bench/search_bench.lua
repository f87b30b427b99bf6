--- search_bench.lua - how near the samplers of bnn.search come to the minimum of Branin's function
-- and of Hartmann's in six dimensions: medians of the regret over keys, after `trials` trials.
--
--     build/bnnlua tests/bench/search_bench.lua [SAMPLER ...] [--keys=20] [--trials=100]
--
-- tests/bench/search_bench.py gives the same table for Optuna.
local bnn = require "bnn"

local function branin(c)
  local x, y = c.x1, c.x2
  return (y - 5.1 / (4 * math.pi ^ 2) * x * x + 5 / math.pi * x - 6) ^ 2
    + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10
end

local ALPHA = {1, 1.2, 3, 3.2}
local A = {{10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8},
           {17, 8, 0.05, 10, 0.1, 14}}
local P = {{1312, 1696, 5569, 124, 8283, 5886}, {2329, 4135, 8307, 3736, 1004, 9991},
           {2348, 1451, 3522, 2883, 3047, 6650}, {4047, 8828, 8732, 5743, 1091, 381}}

local function hartmann(c)
  local sum = 0
  for i = 1, 4 do
    local inner = 0
    for k = 1, 6 do inner = inner + A[i][k] * (c["x" .. k] - P[i][k] / 1e4) ^ 2 end
    sum = sum - ALPHA[i] * math.exp(-inner)
  end
  return sum
end

local cube = {}
for k = 1, 6 do cube[k] = ("x%d=uniform:0:1"):format(k) end

local PROBLEMS = {
  {name = "branin", f = branin, least = 0.39788735772973816,
   space = "x1=uniform:-5:10 x2=uniform:0:15"},
  {name = "hartmann6", f = hartmann, least = -3.3223680114155156, space = table.concat(cube, " ")},
}

-- The regret of a sweep.
local function regret(problem, name, key, count)
  local space = assert(bnn.space.parse(problem.space))
  local sampler = assert(bnn.search.sampler(name, space, {key = key, trials = count}))
  local history, best = {}, math.huge
  for number = 1, count do
    local cfg = sampler:propose(number, history)
    local value = problem.f(cfg)
    history[number] = {number = number, config = cfg, state = "completed", value = value}
    best = math.min(best, value)
  end
  return best - problem.least
end

local keys, count, names = 20, 100, {}
for _, word in ipairs(arg) do
  keys = tonumber(word:match "^%-%-keys=(%d+)$") or keys
  count = tonumber(word:match "^%-%-trials=(%d+)$") or count
  if not word:find "^%-%-" then names[#names + 1] = word end
end
if #names == 0 then names = {"random", "sobol", "tpe", "cmaes", "gp"} end

for _, problem in ipairs(PROBLEMS) do
  for _, name in ipairs(names) do
    local list, clock = {}, os.clock()
    for key = 1, keys do list[key] = regret(problem, name, key, count) end
    table.sort(list)
    local median = (list[(keys + 1) // 2] + list[keys // 2 + 1]) / 2
    print(("%-10s %-8s median regret %.4g  quartiles %.4g %.4g  %.1f ms a proposal"):format(
      problem.name, name, median, list[keys // 4 + 1], list[keys - keys // 4],
      (os.clock() - clock) / keys / count * 1e3))
    io.stdout:flush()
  end
end
