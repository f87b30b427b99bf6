--- Which way to uncertainty is the best? Every method of the library on one network, one data set
-- and one set of metrics, a row each.
--
-- Each method, seed and split is a run on record, made by bnn.sweep: the same command again makes
-- what is missing and prints the table, and one that names another method adds its runs. The
-- settings are in methods/method_list.lua; --set changes them.
local bnn = require "bnn"

local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
package.path = here .. "methods/?.lua;" .. package.path
local figures = require "method_figures"
local list = require "method_list"
local problems = require "method_problems"
local scores = require "method_scores"
local tables = require "method_tables"

local experiment = {
  about = "compares inference methods on one network and one data set: tables of metrics with "
    .. "their errors, paired differences to the first method, figures",
  common = {"seed", "dataset"},
  defaults = {
    dataset = {nil, "mnist and other images as in other experiments, or numbers: energy, yacht, "
                 .. "boston and other UCI sets with their splits in $BNNLUA_DATA/uci, or cubic, "
                 .. "which is generated (default: mnist)", type = "string"},
    methods = {nil, "the rows, the first of which the others are compared with (default: all of "
                 .. table.concat(list.names(), ", ") .. ")", type = "string", list = true},
    seeds = {3, "runs of each method on each split", type = "integer", min = 1},
    splits = {20, "splits of a UCI set, the first so many", type = "integer", min = 1},
    steps = {nil, "optimizer steps of a network (default: 10000 for images, 5000 for numbers)",
             type = "integer", min = 1},
    batch_size = {nil, "examples per step (default: 128 for images, 64 for numbers)",
                  type = "integer", min = 1},
    hidden = {nil, "units of each hidden layer (default: 64,64 for images, 50 for numbers)",
              type = "integer", min = 1, max = 100000, list = true},
    ood_data = {nil, "images that no network has seen: names as for --dataset, folders (default: "
                  .. "notmnist, omniglot and letters if available)", type = "string", list = true},
    set = {{}, "settings of methods: METHOD.NAME=NUMBER, such as sghmc.lr=0.01", type = "string",
           list = true},
    quick = {nil, "a look at all methods in less than a minute: few steps, few images, one seed, "
               .. "two splits; not a comparison", type = "boolean"},
    workers = {0, "runs made side by side, 0: one for each available processor", min = 0,
               result = false},
    csv = {nil, "a file for all values of the tables", type = "string", result = false},
    figures = {"figures", "folder for figures; none if empty", type = "string", result = false},
  },
}

-- ---- which methods, with which settings ----

-- The methods that are asked for, those that have settings for the problem.
local function chosen(cfg, problem)
  local rows, seen = {}, {}
  for _, name in ipairs(cfg.methods or list.names()) do
    local row = list.find(name)
    bnn.assert_or_exit(row, ("--methods: no method '%s'; there are %s"):format(name,
      table.concat(list.names(), ", ")))
    bnn.assert_or_exit(not seen[name], ("--methods names %s twice"):format(name))
    seen[name] = true
    if row[problem.kind] then
      rows[#rows + 1] = row
    else
      io.stderr:write(("skipping %s: it has no settings for %s\n"):format(name, problem.kind))
    end
  end
  bnn.assert_or_exit(rows[1], "--methods: none of them has settings for " .. problem.kind)
  return rows
end

-- The words of --set as {method = {name = number}}; a word that no method understands ends the
-- program.
local function read_settings(words, rows, kind)
  local by_method = {}
  for _, row in ipairs(rows) do by_method[row.name] = {} end
  for _, word in ipairs(words) do
    local method, name, text = word:match "^([%w_]+)%.([%w_]+)=(.+)$"
    local value = text and bnn.number.parse(text)
    local row = value and list.find(method)
    bnn.assert_or_exit(row and row[kind] and row[kind][name] and by_method[method],
      ("--set: expected METHOD.NAME=NUMBER of a method that is compared, got '%s'"):format(word))
    by_method[method][name] = value
  end
  return by_method
end

-- ---- the runs ----

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

-- The sweep of a method: its splits as the space, its settings as what they have in common.
local function sweep(row, problem, cfg, settings)
  local config = {method = row.name, data = problem.name, hidden = problem.hidden, seed = cfg.seed,
                  steps = cfg.steps or cfg.quick and 200 or problem.steps,
                  batch_size = cfg.batch_size or problem.batch_size, quick = cfg.quick,
                  unseen = problem.unseen, rows = problem.rows}
  for _, from in ipairs{row[problem.kind], settings} do
    for name, v in pairs(from) do config[name] = v end
  end
  if cfg.quick and config.draws then config.draws = 10 end
  local splits = {}
  for i = 1, problem.splits do splits[i] = i end
  return bnn.sweep{
    experiment = function(trial) return fit(row, problem, trial) end,
    space = {split = splits}, sampler = "grid", config = config,
    seeds = cfg.quick and 1 or cfg.seeds,
    objective = problem.kind == "images" and "nll" or "rmse", mode = "min",
    workers = cfg.workers, runs = cfg.runs, progress = not cfg.quiet,
  }
end

-- The runs of a sweep that are on record, in the order of splits and seeds.
local function runs_of(result, cfg)
  local by_place, runs = {}, {}
  local records = bnn.assert_or_exit(bnn.run.list{
    where = function(run) return run.sweep == result.name and run.status == "completed" end,
    runs = cfg.runs,
  })
  for _, run in ipairs(records) do
    local metrics = {megabytes = run.peak_bytes and run.peak_bytes / 2 ^ 20}
    for name, m in pairs(run.metrics) do metrics[name] = m.value end
    by_place[run.config.split .. " " .. run.config.seed] = {
      split = run.config.split, seed = run.config.seed, metrics = metrics,
    }
  end
  for _, run in pairs(by_place) do runs[#runs + 1] = run end
  table.sort(runs, function(a, b)
    if a.split ~= b.split then return a.split < b.split end
    return a.seed < b.seed
  end)
  return runs
end

-- ---- the run ----

local function write(path, text)
  local file = bnn.assert_or_exit(io.open(path, "w"))
  bnn.assert_or_exit(file:write(text))
  bnn.assert_or_exit(file:close())
end

local function check_failures(result, log)
  local failed = result.counts.failed
  if failed == 0 then return end
  log:say(("%d of %d runs failed: `bnnlua -m runs list sweep=%s status=failed`"):format(failed,
    result.counts.total, result.name))
end

function experiment.run(cfg, log)
  local problem = problems.load(cfg, log)
  local rows = chosen(cfg, problem)
  local settings = read_settings(cfg.set, rows, problem.kind)
  if cfg.quick then
    problem.splits = math.min(problem.splits, 2)
    log:say "quick: a look at all methods after few steps, which compares nothing"
  end
  local results = {}
  for _, row in ipairs(rows) do
    local result = sweep(row, problem, cfg, settings[row.name])
    check_failures(result, log)
    local runs = runs_of(result, cfg)
    if runs[1] then results[#results + 1] = {name = row.name, runs = runs} end
  end
  bnn.assert_or_exit(results[1], "no run was completed")
  local unit = problem.splits > 1 and "split" or "seed"
  log:say("\n" .. tables.text(problem, results, unit))
  if cfg.csv then write(cfg.csv, tables.csv(problem, results, unit)) end
  if cfg.figures ~= "" then figures.draw(problem, results, unit, cfg.figures) end
  local metrics = {}
  for _, result in ipairs(results) do
    local name = problem.kind == "images" and "nll" or "log_density"
    metrics[("%s/%s"):format(result.name, name)] =
      require "method_statistics".summary(result.runs, name, unit).mean
  end
  return metrics
end

return bnn.main(experiment)
