--- A sweep of your own, to start from: what is run, a space with a constraint, and a sampler, which
-- is an evolution in a few lines.
local bnn = require "bnn"

local folder = arg[0]:match "^.*/" or ""
local experiment = folder .. "cubic.lua"

-- Fewer steps for wide networks, so that all cost about the same.
local function is_cheap(cfg) return cfg.hidden[1] * cfg.steps <= 64000 end

local space = bnn.space{
  hidden = bnn.space.choice{{16}, {32}, {64}}, steps = {500, 1000, 2000},
  lr = bnn.space.log(1e-3, 1e-1), is_cheap,
}

-- Any function of the trials before: the first eight are random, then one is changed in a place.
local function evolve(history, _, key, number)
  local random = bnn.search.random(space, {key = key}):propose(number)
  if #history < 8 then return random end
  table.sort(history, function(a, b) return (a.value or math.huge) < (b.value or math.huge) end)
  local child = history[number % 4 + 1].config
  local names = {"hidden", "steps", "lr"}
  local changed = names[number % 3 + 1]
  child[changed] = random[changed]
  return is_cheap(child) and child or random
end

local result = bnn.sweep{
  experiment = experiment, space = space, sampler = evolve, trials = 24, seeds = 2,
  objective = "test/rmse", mode = "min", name = "custom",
}
io.write(result:text(5))
io.stderr:write("report: ", assert(result:report()), "\n")
