--- Sweeps in the folders of runs: the ledger made again from them, runs that are deleted, and
-- single runs of a sweep that are replayed or resumed.
package.path = (arg[0]:match "^.*/" or "./") .. "../?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local recorded_runs = require "recorded_runs"
local run_folder = require "bnn.records.run_folder"
local run_list = require "bnn.records.run_list"
local runs_rerun = require "bnn.records.runs_rerun"
local runs_resume = require "bnn.records.runs_resume"
local runs_table = require "bnn.records.runs_table"
local strings = require "bnn.base.strings"
local sweep_record = require "bnn.sweep.books.sweep_record"
local task_queue = require "bnn.records.task_queue"

local in_folder = recorded_runs.in_folder

-- ---- what the tests run ----

-- Adds a line to a file that counts runs.
local function count_in(path, line)
  local file <close> = assert(io.open(path, "a"))
  file:write(line, "\n")
end

local function lines_of(path)
  local list = {}
  local file <close> = io.open(path)
  for line in file and file:lines() or function() end do list[#list + 1] = line end
  table.sort(list)
  return list
end

-- A sweep of a function: x = 1 completes, 2 is pruned at its second report, 3 fails, 4 is not a
-- number.
local function mixed(root, changes)
  local opts = {
    space = {x = {1, 2, 3, 4}}, objective = {"loss"}, mode = "min", runs = root, name = "mixed",
    progress = false, workers = 1, retries = 0,
    pruner = function(trial, _, step) return trial.config.x == 2 and step >= 20, "it is two" end,
    experiment = function(cfg, log)
      count_in(root .. "/count", ("x=%d seed=%d"):format(cfg.x, cfg.seed))
      for step = 10, 30, 10 do log:row(step, {loss = cfg.x / 7 + step, other = step}) end
      if cfg.x == 3 then error "no threes" end
      return {loss = cfg.x == 4 and 0 / 0 or cfg.x / 7, note = "text"}
    end,
  }
  for name, v in pairs(changes or {}) do opts[name] = v end
  return bnn.sweep(opts)
end

local TOY = [[
local bnn = require "bnn"
return bnn.main{
  about = "a toy", defaults = {seed = {1, "seed"}, lr = {0.5, "rate"}, steps = {3, "steps"}},
  run = function(cfg, log)
    for step = 1, cfg.steps do log:row(step, {loss = (cfg.lr - 1 / 3) ^ 2 / step + cfg.seed}) end
    print("lr", cfg.lr)
    return {loss = (cfg.lr - 1 / 3) ^ 2}
  end,
}
]]

-- A sweep of the file of an experiment.
local function of_file(root, changes)
  recorded_runs.write(root .. "/toy.lua", TOY)
  local opts = {
    experiment = root .. "/toy.lua", space = {lr = bnn.space.uniform(0.1, 1)}, trials = 2,
    objective = "loss", mode = "min", runs = root, name = "of file", progress = false, workers = 1,
  }
  for name, v in pairs(changes or {}) do opts[name] = v end
  return bnn.sweep(opts)
end

-- ---- the ledger ----

local TABLES = {
  "SELECT id, description, created FROM sweep ORDER BY id",
  "SELECT sweep, number, config FROM trial ORDER BY 1, 2",
  "SELECT sweep, trial, replicate, state, attempt, run, failure FROM task ORDER BY 1, 2, 3",
  "SELECT sweep, trial, replicate, outcome FROM outcome ORDER BY 1, 2, 3",
  "SELECT sweep, trial, replicate, step, value FROM report ORDER BY 1, 2, 3, 4",
}

local function ask(root, sql)
  local book <close> = assert(ledger.open(root, false))
  return assert(book:ask(sql))
end

-- The rows of all tables, without the seconds that runs took and why one failed that has no number.
local function tables_of(root)
  local tables = {}
  for i, sql in ipairs(TABLES) do tables[i] = ask(root, sql) end
  for _, row in ipairs(tables[4]) do row[4] = row[4]:gsub('"seconds":[%d.e-]+,', "") end
  for _, row in ipairs(tables[3]) do row[7] = row[7] and row[7]:match "no threes" end
  return tables
end

local function remove_ledger(root)
  for _, ending in ipairs{"", "-wal", "-shm"} do os.remove(ledger.path(root) .. ending) end
end

local function states_of(root)
  local states = {}
  for i, row in ipairs(ask(root, "SELECT state FROM task ORDER BY trial, replicate")) do
    states[i] = task_queue.STATES[row[1] + 1]
  end
  return states
end

TestRebuild = {}

function TestRebuild.test_gives_the_same_rows()
  in_folder(function(root)
    mixed(root, {seeds = 2})
    local before = tables_of(root)
    lu.assertEquals(states_of(root), {"completed", "completed", "pruned", "pruned", "failed",
                                      "failed", "failed", "failed"})
    lu.assertEquals(#before[5], 3 * 6 + 2) -- the second seed of a pruned trial is not begun
    remove_ledger(root)
    lu.assertEquals({run_list.rebuild(root), sweep_record.rebuild(root)}, {7, 1})
    local after = tables_of(root)
    -- A run that was pruned before it began has no folder: it is to be decided again.
    lu.assertEquals(states_of(root)[4], "open")
    before[3][4], after[3][4] = nil, nil
    lu.assertEquals(after, before)
    lu.assertEquals({run_list.rebuild(root), sweep_record.rebuild(root)}, {7, 1}) -- in place
    local again = tables_of(root)
    again[3][4] = nil
    lu.assertEquals(again, before)
  end)
end

function TestRebuild.test_then_nothing_that_is_done_runs_again()
  for _, makes in ipairs{true, false} do -- by the command, or by the sweep itself
    in_folder(function(root)
      local first = mixed(root, {space = {x = {1, 2}}, seeds = 2})
      local count = lines_of(root .. "/count")
      lu.assertEquals(count, {"x=1 seed=1", "x=1 seed=2", "x=2 seed=1"})
      remove_ledger(root)
      if makes then assert(sweep_record.rebuild(root)) end
      local second = mixed(root, {space = {x = {1, 2}}, seeds = 2})
      lu.assertEquals(lines_of(root .. "/count"), count)
      lu.assertEquals(second:text(), first:text())
    end)
  end
end

-- What a command of `bnnlua -m runs` prints on stdout, and on stderr.
local function runs_tool(root, command, ...)
  local words = {arg[-1], "-m", "runs", command, "--runs=" .. root, ...}
  local done = assert(core.run_program(words))
  lu.assertEquals(done.status, 0, done.errors)
  return done.output, done.errors
end

function TestRebuild.test_the_command_counts_runs_and_sweeps()
  in_folder(function(root)
    mixed(root, {space = {x = {1, 2}}})
    remove_ledger(root)
    lu.assertStrContains(runs_tool(root, "rebuild"), "runs.db: 2 runs, 1 sweep\n")
    local shown = runs_tool(root, "show", "last")
    lu.assertStrContains(shown, "\nsweep     mixed, trial 2, replicate 1\n")
    lu.assertStrContains(runs_tool(root, "list", "status=pruned", "--columns=trial"), "      2\n")
    local page = root .. "/report.html"
    runs_tool(root, "report", "--output=" .. page)
    lu.assertStrContains(assert(run_folder.read(page)), '<span class="pruned">1 pruned</span>')
  end)
end

function TestRebuild.test_leaves_out_a_sweep_whose_folder_is_gone()
  in_folder(function(root)
    mixed(root, {space = {x = {1}}})
    assert(run_folder.remove(root .. "/sweeps/mixed"))
    lu.assertEquals(sweep_record.rebuild(root), 0)
    for _, rows in ipairs(tables_of(root)) do lu.assertEquals(rows, {}) end
  end)
end

function TestRebuild.test_keeps_the_claims_of_runs_that_are_being_made()
  in_folder(function(root)
    mixed(root, {space = {x = {1}}, seeds = 2})
    do
      local book <close> = assert(ledger.open(root, true))
      assert(book:ask "UPDATE task SET state = 1, worker = 'w', attempt = 7 WHERE replicate = 2")
    end
    lu.assertEquals(sweep_record.rebuild(root), 1)
    local rows = ask(root, "SELECT state, worker, attempt FROM task ORDER BY replicate")
    lu.assertEquals(rows, {{2, nil, 1}, {1, "w", 7}})
  end)
end

-- Changes what run.json holds of the newest run.
local function change_last(root, change)
  local id = assert(bnn.run.find("last", {runs = root}))
  local path = ("%s/%s/run.json"):format(root, id)
  local about = assert(run_folder.read_json(path))
  change(about)
  core.set_mode(path, 0x1a4)
  assert(run_folder.write_json(path, about))
end

function TestRebuild.test_takes_the_outcome_of_a_run_that_another_command_ended()
  in_folder(function(root)
    of_file(root, {trials = 1})
    local before = ask(root, TABLES[4])
    do
      local book <close> = assert(ledger.open(root, true))
      assert(book:ask "UPDATE task SET state = 5")
    end
    assert(sweep_record.rebuild(root))
    local after = ask(root, TABLES[4])
    local function values(rows) return assert(core.json_decode(rows[1][4])).values end
    lu.assertEquals(values(after), values(before))
    lu.assertEquals(states_of(root), {"completed"})
  end)
end

function TestRebuild.test_a_run_that_died_is_to_go_on()
  in_folder(function(root)
    of_file(root, {trials = 1})
    local id = assert(bnn.run.find("last", {runs = root}))
    change_last(root, function(about) about.status = "running" end)
    assert(sweep_record.rebuild(root))
    lu.assertEquals(ask(root, "SELECT state, run FROM task"), {{5, id}}) -- interrupted
    lu.assertEquals(ask(root, TABLES[4]), {})
    change_last(root, function(about)
      about.host, about.started = "elsewhere", "2999-01-01 00:00:00"
    end)
    assert(sweep_record.rebuild(root))
    lu.assertEquals(states_of(root), {"running"})
  end)
end

TestDeleting = {}

-- What the command says of the runs that it deletes.
local function delete(root, ...) return select(2, runs_tool(root, "delete", "--yes", ...)) end

function TestDeleting.test_a_run_that_is_deleted_is_made_again()
  in_folder(function(root)
    local first = of_file(root, {trials = 3})
    local said = delete(root, "trial=2")
    lu.assertStrContains(said, "the sweep 'of file' has 1 run to make")
    lu.assertEquals(states_of(root), {"completed", "open", "completed"})
    lu.assertEquals(#ask(root, TABLES[4]), 2)
    lu.assertEquals(#ask(root, TABLES[5]), 6)
    lu.assertEquals(of_file(root, {trials = 3}):text(), first:text())
    lu.assertEquals(#run_folder.ids(root), 3)
  end)
end

function TestDeleting.test_a_sweep_without_runs_is_forgotten_and_its_name_is_free()
  in_folder(function(root)
    of_file(root)
    local said = delete(root, "sweep=of file")
    lu.assertStrContains(said, "the sweep 'of file' has no runs left and is forgotten")
    for _, rows in ipairs(tables_of(root)) do lu.assertEquals(rows, {}) end
    lu.assertEquals(sweep_record.rebuild(root), 0)
    local other = of_file(root, {space = {steps = {1, 2}}, trials = 2})
    lu.assertStrContains(other:text(), "2 completed")
  end)
end

TestSingleRuns = {}

function TestSingleRuns.test_a_run_of_a_file_is_replayed_to_the_same_bits()
  in_folder(function(root)
    of_file(root)
    local run = assert(bnn.run.open("last", {runs = root}))
    lu.assertStrContains(run.about.command, " --lr=")
    local lines, agree = runs_rerun.replay(run)
    lu.assertTrue(agree, table.concat(lines or {agree}, "\n"))
  end)
end

function TestSingleRuns.test_a_pruned_run_is_the_beginning_of_its_replay()
  in_folder(function(root)
    of_file(root, {trials = 1, pruner = function(_, _, step) return step == 2 end})
    local run = assert(bnn.run.open("last", {runs = root}))
    lu.assertEquals(run.status, "pruned")
    local lines, agree = runs_rerun.replay(run)
    lu.assertTrue(agree, table.concat(lines or {agree}, "\n"))
    lu.assertStrContains(lines[1], "the run was pruned")
  end)
end

function TestSingleRuns.test_a_run_of_a_function_names_the_script_that_makes_it()
  in_folder(function(root)
    mixed(root, {space = {x = {3}}})
    local run = assert(bnn.run.open("last", {runs = root}))
    local _, replay = runs_rerun.replay(run)
    local _, resume = runs_resume.resume(run, root, true)
    for _, fault in ipairs{replay, resume} do
      lu.assertStrContains(fault, ": its experiment is within " .. strings.shown(arg[0]))
      lu.assertStrContains(fault, "run that script again, which goes on with the sweep 'mixed'")
    end
  end)
end

function TestSingleRuns.test_tables_show_the_sweep_and_the_trial_where_they_differ()
  local function columns(...)
    local runs = {...}
    for _, run in ipairs(runs) do run.config, run.metrics = {}, {} end
    return (runs_table.columns(runs))
  end
  lu.assertEquals(columns({id = "a"}, {id = "b"}), {"id", "experiment", "status", "wall_seconds"})
  local function of_trial(n) return {name = "s", sweep = "s", trial = n} end
  lu.assertEquals(columns(of_trial(1), of_trial(1)),
    {"id", "name", "experiment", "status", "wall_seconds"})
  lu.assertEquals(columns(of_trial(1), of_trial(2)),
    {"id", "name", "trial", "experiment", "status", "wall_seconds"})
  lu.assertEquals(columns({sweep = "s", trial = 1}, {name = "own"}),
    {"id", "name", "sweep", "trial", "experiment", "status", "wall_seconds"})
end

os.exit(lu.LuaUnit.run())
