--- The runs of a comparison: a sweep for each method, over splits and seeds, and what is on record.
local bnn = require "bnn"

local scores = require "method_scores"

local M = {}

local QUICK_STEPS, QUICK_DRAWS = 200, 10

-- One run, in a process of its own.
local function fit(row, problem, s)
  bnn.threads(1)
  local began, task = os.clock(), problem.task(s, s.split)
  local key = bnn.key(s.seed):fold("split"):fold(s.split)
  local made, sampling = row.fit(task, s, key)
  local is_model = type(made) == "table" and made.net
  local model = is_model and made
    or {net = task.net, posterior = made, likelihood = task.likelihood}
  local result = scores.measure(model, sampling, task, key:fold "predict")
  result.seconds = os.clock() - began
  return result
end

-- What all runs of a method have in common, by which they are known: method, problem and settings.
local function config_of(row, problem, cfg, settings)
  local config = {
    method = row.name, data = problem.name, hidden = problem.hidden, unseen = problem.unseen,
    rows = problem.rows, quick = cfg.quick, seed = cfg.seed,
    steps = cfg.steps or cfg.quick and QUICK_STEPS or problem.steps,
    batch_size = cfg.batch_size or problem.batch_size,
  }
  for _, from in ipairs{row[problem.kind], settings} do
    for name, v in pairs(from) do config[name] = v end
  end
  if cfg.quick and config.draws then config.draws = QUICK_DRAWS end
  return config
end

--- Makes the runs of a method that are missing: each split is a trial, with as many seeds.
-- @return result of bnn.sweep
function M.sweep(row, problem, cfg, settings)
  local splits = {}
  for i = 1, problem.splits do splits[i] = i end
  return bnn.sweep{
    experiment = function(trial) return fit(row, problem, trial) end,
    space = {split = splits}, sampler = "grid", config = config_of(row, problem, cfg, settings),
    seeds = cfg.seeds, objective = problem.kind == "images" and "nll" or "rmse", mode = "min",
    workers = cfg.workers, runs = cfg.runs, progress = not cfg.quiet,
  }
end

-- Values of a configuration that records keep as they are.
local function is_same(run, config)
  for name, v in pairs(config) do
    local is_plain = type(v) == "number" or type(v) == "string"
    if is_plain and name ~= "seed" and run.config[name] ~= v then return false end
  end
  return run.sweep ~= nil
end

--- How many runs of each method are in which state, as text; nothing is run.
function M.status(rows, problem, cfg, settings)
  local records = bnn.run.list{runs = cfg.runs} or {}
  local lines = {}
  for i, row in ipairs(rows) do
    local config, counts, seen = config_of(row, problem, cfg, settings[row.name]), {}, {}
    for _, run in ipairs(records) do
      local place = ("%s %s %s"):format(run.status, run.config.split, run.config.seed)
      if is_same(run, config) and not seen[place] then
        seen[place], counts[run.status] = true, (counts[run.status] or 0) + 1
      end
    end
    lines[i] = {row.name, counts.completed or 0, counts.running or 0, counts.failed or 0,
                problem.splits * cfg.seeds}
  end
  return bnn.table_text.render(lines, {"method", "completed", "running", "failed", "of"})
end

--- The runs of a sweep that are complete, of the seeds that are asked for, in the order of splits
-- and seeds.
-- @return list of {split=, seed=, metrics= by name}
function M.completed(result, cfg)
  local by_place, runs = {}, {}
  local function is_wanted(run)
    local is_whole = run.sweep == result.name and run.status == "completed"
    local seed = is_whole and run.config.seed
    return seed and seed >= cfg.seed and seed < cfg.seed + cfg.seeds
  end
  local records = bnn.assert_or_exit(bnn.run.list{where = is_wanted, runs = cfg.runs})
  for _, run in ipairs(records) do
    local metrics = {megabytes = run.peak_bytes and run.peak_bytes / 2 ^ 20}
    for name, m in pairs(run.metrics) do metrics[name] = m.value end
    local split, seed = run.config.split, run.config.seed
    by_place[split .. " " .. seed] = {split = split, seed = seed, metrics = metrics}
  end
  for _, run in pairs(by_place) do runs[#runs + 1] = run end
  table.sort(runs, function(a, b)
    if a.split ~= b.split then return a.split < b.split end
    return a.seed < b.seed
  end)
  return runs
end

return M
