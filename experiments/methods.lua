--- Which way to uncertainty is the best? Every method of the library on one network, one data set
-- and one set of metrics, a row each.
--
-- Each method, seed and split is a run on record, made by bnn.sweep: the same command again makes
-- what is missing and prints the table, and one that names another method adds its runs. The
-- settings are in methods/method_list.lua; --set changes them.
--
-- On MNIST, three seeds, eight minutes of one thread: NLL 0.102 of MAP, 0.085 of MC dropout, 0.068
-- of mean field, 0.064 of SWAG, 0.059 of IVON and of five networks, 0.056 of five SWAGs. AUROC
-- of the entropy against notMNIST: 0.72 of MAP, 0.92 of five networks, 0.96 of IVON, 0.999 of mean
-- field, which doubts letters most. What other code reaches with these settings is within two
-- standard deviations of this (tests/long/test_methods_table.lua).
local bnn = require "bnn"

local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
package.path = here .. "methods/?.lua;" .. package.path
local figures = require "method_figures"
local list = require "method_list"
local problems = require "method_problems"
local method_runs = require "method_runs"
local statistics = require "method_statistics"
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
    status = {nil, "says how many runs are on record, and makes none", type = "boolean",
              result = false},
    workers = {0, "runs made side by side, 0: one for each available processor", min = 0,
               result = false},
    csv = {nil, "a file for all values of the tables", type = "string", result = false},
    figures = {"figures", "folder for figures; none if empty", type = "string", result = false},
  },
}

-- ---- which methods, with which settings ----

-- The methods that are asked for.
local function named(cfg)
  local rows, seen = {}, {}
  for i, name in ipairs(cfg.methods or list.names()) do
    rows[i] = list.find(name)
    bnn.assert_or_exit(rows[i], ("--methods: no method '%s'; there are %s"):format(name,
      table.concat(list.names(), ", ")))
    bnn.assert_or_exit(not seen[name], ("--methods names %s twice"):format(name))
    seen[name] = true
  end
  return rows
end

-- Those that have settings for a kind of problem.
local function with_settings(rows, kind)
  local kept = {}
  for _, row in ipairs(rows) do
    if row[kind] then
      kept[#kept + 1] = row
    else
      io.stderr:write(("skipping %s: it has no settings for %s\n"):format(row.name, kind))
    end
  end
  bnn.assert_or_exit(kept[1], "--methods: none of them has settings for " .. kind)
  return kept
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

-- The mean of each metric of each method, by "METHOD/METRIC".
local function means_of(problem, results, unit)
  local means = {}
  for _, result in ipairs(results) do
    for _, block in ipairs(tables.blocks(problem)) do
      for _, m in ipairs(block.metrics) do
        means[result.name .. "/" .. m[1]] = statistics.summary(result.runs, m[1], unit).mean
      end
    end
  end
  return means
end

-- Makes what is missing; a list of {name=, kind=, runs=}, those of methods that have runs.
local function make_runs(rows, problem, cfg, settings, log)
  local results = {}
  for _, row in ipairs(rows) do
    local result = method_runs.sweep(row, problem, cfg, settings[row.name])
    check_failures(result, log)
    local runs = method_runs.completed(result, cfg)
    if runs[1] then results[#results + 1] = {name = row.name, kind = row.kind, runs = runs} end
  end
  bnn.assert_or_exit(results[1], "no run was completed")
  return results
end

-- The flags, with what --quick makes of them.
local function with_quick(cfg)
  if not cfg.quick then return cfg end
  local own = {}
  for name, v in pairs(cfg) do own[name] = v end
  own.seeds, own.splits = 1, math.min(cfg.splits, 2)
  return own
end

function experiment.run(given, log)
  local cfg = with_quick(given)
  local rows = named(cfg)
  local problem = problems.load(cfg, log)
  rows = with_settings(rows, problem.kind)
  local settings = read_settings(cfg.set, rows, problem.kind)
  if cfg.status then
    log:say(method_runs.status(rows, problem, cfg, settings))
    return {}
  end
  if cfg.quick then log:say "quick: a look at all methods after few steps, no comparison" end
  local results = make_runs(rows, problem, cfg, settings, log)
  local unit = problem.splits > 1 and "split" or "seed"
  log:say("\n" .. tables.text(problem, results, unit))
  if cfg.csv then write(cfg.csv, tables.csv(problem, results, unit)) end
  if cfg.figures ~= "" then figures.draw(problem, results, unit, cfg.figures) end
  return means_of(problem, results, unit)
end

return bnn.main(experiment)
