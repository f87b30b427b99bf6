--- Records of runs: folders and their seals, the ledger, filters, tables, and what bnn.run gives.
package.path = (arg[0]:match "^.*/" or "./") .. "../?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local figure_paths = require "bnn.records.figure_paths"
local ledger = require "bnn.records.ledger"
local recorded_runs = require "recorded_runs"
local run_filter = require "bnn.records.run_filter"
local run_folder = require "bnn.records.run_folder"
local run_list = require "bnn.records.run_list"
local runs_table = require "bnn.records.runs_table"
local signal = require "bnn.signal"

local in_folder, make_run = recorded_runs.in_folder, recorded_runs.make
local write_all = recorded_runs.write

local function make_three(root)
  return {make_run(root, {seed = 1, lr = 0.1}, {loss = 3}),
          make_run(root, {seed = 2, lr = 0.1}, {loss = 5}),
          make_run(root, {seed = 1, lr = 1e-3}, {loss = 1}, {name = "small", status = "failed"})}
end

local function ids_of(runs)
  local ids = {}
  for i, run in ipairs(runs) do ids[i] = run.id end
  return ids
end

TestFolder = {}

function TestFolder.test_ids_sort_by_time_and_differ()
  in_folder(function(root)
    local ids = {}
    for i = 1, 50 do -- several in a millisecond
      local folder = assert(run_folder.new(root))
      ids[i] = folder.id
      assert(run_folder.publish(folder))
    end
    lu.assertEquals(run_folder.ids(root), ids)
    for _, id in ipairs(ids) do lu.assertTrue(run_folder.is_id(id)) end
  end)
end

function TestFolder.test_a_folder_without_its_name_is_no_run()
  in_folder(function(root)
    assert(run_folder.new(root))
    lu.assertEquals(run_folder.ids(root), {})
  end)
end

-- Of a run that was killed before its folder had its name; one that lives is left alone.
function TestFolder.test_what_a_killed_run_left_without_a_name_is_removed()
  in_folder(function(root)
    local function make(time)
      local path = root .. "/.new-" .. time .. "-000-abcd"
      recorded_runs.write(path .. "/code/toy.lua.part", "half")
      return path
    end
    local now = math.floor(core.now())
    local young, old = make(os.date("!%Y%m%d-%H%M%S", now)), make "20200101-000000"
    local held = make "20200101-000001"
    local lock = core.lock_folder(held)
    run_folder.remove_unborn(root)
    lu.assertEquals({core.is_folder(young), core.is_folder(old), core.is_folder(held)},
      {true, false, true})
    lock:release()
    run_folder.remove_unborn(root)
    lu.assertFalse(core.is_folder(held))
    run_folder.remove_unborn(root .. "/nowhere")
  end)
end

function TestFolder.test_what_was_being_written_goes_with_the_seal()
  in_folder(function(root)
    local path = root .. "/" .. make_run(root, {}, {})
    for _, name in ipairs{"run.json.part", "manifest.sha256.12-ab.part", "run.json.next"} do
      recorded_runs.write(path .. "/" .. name, "half")
    end
    run_folder.unseal(path)
    lu.assertEquals(run_folder.files(path), {"config.json", "metrics.jsonl", "run.json"})
  end)
end

function TestFolder.test_a_seal_names_each_file_that_changed()
  in_folder(function(root)
    local path = root .. "/" .. make_run(root, {seed = 1}, {loss = 1})
    local faults, good = run_folder.verify(path)
    lu.assertEquals({faults, good}, {{}, 3})
    os.execute(("chmod -R u+w %s"):format(path))
    local text = assert(run_folder.read(path .. "/metrics.jsonl"))
    for at = 1, #text, 7 do -- a bit anywhere in it
      local byte = string.char(text:byte(at) ~ 1)
      write_all(path .. "/metrics.jsonl", text:sub(1, at - 1) .. byte .. text:sub(at + 1))
      lu.assertEquals(run_folder.verify(path), {"metrics.jsonl: changed"})
    end
    write_all(path .. "/metrics.jsonl", text)
    lu.assertEquals(run_folder.verify(path), {})
    os.remove(path .. "/config.json")
    write_all(path .. "/more.txt", "x")
    lu.assertEquals(run_folder.verify(path),
      {"config.json: missing", "more.txt: added after the run"})
  end)
end

function TestFolder.test_the_manifest_is_that_of_sha256sum()
  in_folder(function(root)
    local path = root .. "/" .. make_run(root, {seed = 1}, {loss = 1})
    lu.assertTrue(os.execute(("cd %s && sha256sum --status -c manifest.sha256"):format(path)))
  end)
end

function TestFolder.test_a_run_without_a_seal_says_so()
  in_folder(function(root)
    local folder = assert(run_folder.new(root))
    assert(run_folder.publish(folder))
    local faults, message = run_folder.verify(folder.path)
    lu.assertNil(faults)
    lu.assertStrContains(message, "manifest.sha256")
  end)
end

function TestFolder.test_figures_keep_their_paths_below_the_folder_that_all_share()
  for _, row in ipairs{
    {{"figs/a.svg"}, {"a.svg"}}, {{"a.svg", "b.png", "a.svg"}, {"a.svg", "b.png"}},
    {{"/t/figs/one/roc.svg", "/t/figs/two/roc.svg"}, {"one/roc.svg", "two/roc.svg"}},
    {{"./f/a.svg", "f/x/a.svg"}, {"a.svg", "x/a.svg"}},
    {{"../a.svg", "b.svg"}, {"_/a.svg", "b.svg"}},
    {{"runs/1/figures/a.svg", "b.svg"}, {"b.svg"}}, {{}, {}},
  } do
    local names = {}
    for i, figure in ipairs(figure_paths.below(row[1], "runs/1")) do names[i] = figure.name end
    lu.assertEquals(names, row[2])
  end
end

TestLedger = {}

function TestLedger.test_it_gives_what_the_folders_have()
  in_folder(function(root)
    local ids = make_three(root)
    local from_folders = assert(run_list.read(root)) -- there is no ledger yet
    lu.assertEquals(run_list.rebuild(root), 3)
    local from_ledger = assert(run_list.read(root))
    lu.assertEquals(ids_of(from_ledger), ids)
    for i, run in ipairs(from_ledger) do
      local other = from_folders[i]
      lu.assertEquals(run.config, other.config)
      lu.assertEquals(run.metrics, other.metrics)
      lu.assertEquals({run.status, run.seed, run.name}, {other.status, other.seed, other.name})
    end
    lu.assertEquals(from_ledger[1].metrics.loss,
      {value = 3.0, step = 20, least = 3.0, least_step = 20, most = 5.0, most_step = 0})
  end)
end

function TestLedger.test_an_attempt_does_not_write_over_its_successor()
  in_folder(function(root)
    local book <close> = assert(ledger.open(root, true))
    local first = {id = "a", attempt = 1, status = "running", host = "h", pid = 1, started = "t"}
    assert(book:change(function(write) ledger.enter(write, first, {}, root) end))
    assert(book:change(function(write) write "UPDATE run SET attempt = 2 WHERE id = 'a'" end))
    assert(book:change(function(write)
      first.status = "failed"
      ledger.put_metrics(write, first, {loss = {value = 1.5, step = 1}})
      ledger.beat(write, first)
      ledger.finish(write, first)
    end))
    lu.assertEquals(book:ask "SELECT status, attempt FROM run", {{"running", 2}})
    lu.assertEquals(book:ask "SELECT name FROM metric", {})
    lu.assertEquals(book:ask "SELECT status FROM attempt WHERE number = 1", {{"failed"}})
  end)
end

function TestLedger.test_a_change_that_fails_is_none()
  in_folder(function(root)
    local book <close> = assert(ledger.open(root, true))
    local ok, message = book:change(function(write)
      write "INSERT INTO tag VALUES ('a', 'x')"
      write "INSERT INTO nowhere VALUES (1)"
    end)
    lu.assertNil(ok)
    lu.assertStrContains(message, "runs.db: no such table: nowhere")
    lu.assertEquals(book:ask "SELECT * FROM tag", {})
  end)
end

-- It is neither a fault of the ledger nor forgotten.
function TestLedger.test_an_interrupt_while_it_is_opened_passes()
  in_folder(function(root)
    assert(ledger.open(root, true)):close()
    local open, closed = core.sql_open, 0
    function core.sql_open()
      return {run = function() signal.raise(15) end, close = function() closed = closed + 1 end}
    end
    local ok, err = pcall(ledger.open, root, true)
    core.sql_open = open
    lu.assertEquals({ok, signal.is_interrupt(err), closed}, {false, true, 1})
  end)
end

function TestLedger.test_a_run_is_entered_from_its_folder_as_often_as_one_likes()
  in_folder(function(root)
    local id = make_run(root, {lr = 0.5}, {loss = 2}, {attempt = 1})
    local path = root .. "/" .. id
    recorded_runs.write(path .. "/notes.jsonl", '{"tag":"good"}\n{"note":"so","written":"now"}\n')
    local book <close> = assert(ledger.open(root, true))
    for _ = 1, 3 do
      assert(book:change(function(write) assert(run_list.enter(write, path)) end))
      lu.assertEquals(book:ask "SELECT status FROM run", {{"completed"}})
      lu.assertEquals(book:ask "SELECT name, value FROM param", {{"lr", "0.5"}})
      lu.assertEquals(book:ask "SELECT name, value FROM metric", {{"loss", 2}})
      lu.assertEquals(book:ask "SELECT tag FROM tag", {{"good"}})
      lu.assertEquals(book:ask "SELECT text FROM note", {{"so"}})
    end
    local message
    assert(book:change(function(write) message = select(2, run_list.enter(write, root)) end))
    lu.assertStrContains(message, "run.json: No such file or directory")
  end)
end

function TestLedger.test_values_come_back_as_they_were()
  in_folder(function(root)
    local book <close> = assert(ledger.open(root, true))
    local rows, names = book:ask("SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d", 7, 0.1, "x\0y", nil)
    lu.assertEquals(rows, {{7, 0.1, "x\0y"}})
    lu.assertEquals(names, {"a", "b", "c", "d"})
    lu.assertNil((book:ask "SELECT 1; SELECT 2"))
    lu.assertNil((book:ask "SELEC 1"))
    lu.assertNil((book:ask ""))
  end)
end

function TestLedger.test_one_that_is_read_cannot_be_written()
  in_folder(function(root)
    assert(ledger.open(root, true)):close()
    local book <close> = assert(ledger.open(root, false))
    local ok, message = book:ask "INSERT INTO tag VALUES ('a', 'x')"
    lu.assertNil(ok)
    lu.assertStrContains(message, "readonly")
    lu.assertNil((ledger.open(root .. "/nowhere", false)))
  end)
end

TestFilter = {}

function TestFilter.test_runs_are_selected_by_fields_flags_metrics_and_tags()
  in_folder(function(root)
    local ids = make_three(root)
    for _, row in ipairs{
      {{}, {1, 2, 3}}, {{"status=completed"}, {1, 2}}, {{"status!=completed"}, {3}},
      {{"lr<0.01"}, {3}}, {{"lr=0.1"}, {1, 2}}, {{"lr=1e-1"}, {1, 2}}, {{"lr>=0.1", "seed=2"}, {2}},
      {{"loss>2", "loss<=3"}, {1}}, {{"most:loss>6"}, {2}}, {{"least:loss<=1"}, {3}},
      {{"name=small"}, {3}}, {{"name~mal"}, {3}}, {{"name!=small"}, {1, 2}}, {{"seed=9"}, {}},
      {{"id<=" .. ids[2]}, {1, 2}}, {{"started>2000-01-01"}, {1, 2, 3}}, {{"tag=good"}, {}},
    } do
      local wanted = {}
      for i, at in ipairs(row[2]) do wanted[i] = ids[at] end
      local runs = assert(bnn.run.list{runs = root, where = row[1]})
      lu.assertEquals(ids_of(runs), wanted, table.concat(row[1], " "))
    end
    local function is_small(run) return run.config.lr < 0.01 end
    local small = assert(bnn.run.list{runs = root, where = is_small})
    lu.assertEquals(ids_of(small), {ids[3]})
  end)
end

function TestFilter.test_what_is_no_filter_says_what_is_expected()
  in_folder(function(root)
    make_three(root)
    for _, row in ipairs{
      {"lr", "expected a filter such as status=completed"}, {"=3", "expected a filter"},
      {"lr<x", "expected a number after <, got 'x'"},
      {"lrr=1", "no run has 'lrr': did you mean lr?"},
      {"zzzzzz=1", "no run has 'zzzzzz'"},
    } do
      local runs, message = bnn.run.list{runs = root, where = row[1]}
      lu.assertNil(runs)
      lu.assertStrContains(message, row[2])
    end
    lu.assertErrorMsgContains("where: expected a list of filters or a function, got a number",
      bnn.run.list, {runs = root, where = 3})
    lu.assertErrorMsgContains("unknown option 'were'", bnn.run.list, {were = {}})
  end)
end

function TestFilter.test_every_operator_is_read()
  for _, op in ipairs{"=", "!=", "<", "<=", ">", ">=", "~"} do
    lu.assertEquals(run_filter.parse("a/b " .. op .. " 1"), {name = "a/b", op = op, text = "1"})
  end
end

TestTable = {}

function TestTable.test_only_what_differs_is_shown()
  in_folder(function(root)
    make_three(root)
    make_run(root, {other = 1}, {}, {experiment = "another"})
    local runs = assert(bnn.run.list{runs = root, where = "experiment=toy"})
    lu.assertEquals(runs_table.differing(runs), {"lr", "seed"})
    lu.assertEquals(runs_table.differing{runs[1], runs[2]}, {"seed"})
    lu.assertEquals(runs_table.differing(assert(bnn.run.list{runs = root})), {"lr", "seed"})
  end)
end

function TestTable.test_seeds_of_one_configuration_are_mean_sd_se_and_n()
  in_folder(function(root)
    make_three(root)
    local runs = assert(bnn.run.list{runs = root})
    local rows = runs_table.group_rows(runs, {"config"}, {"loss"})
    lu.assertEquals(rows[1], {0.1, "loss", 2, 4.0, math.sqrt(2), 1.0})
    lu.assertEquals(rows[2], {1e-3, "loss", 1, 1.0}) -- one has no deviation
  end)
end

function TestTable.test_moments()
  lu.assertEquals({runs_table.moments{2, 4, 4, 4, 5, 5, 7, 9}},
    {5.0, math.sqrt(32 / 7), math.sqrt(32 / 7 / 8)})
end

function TestTable.test_csv_and_json_hold_everything()
  in_folder(function(root)
    make_three(root)
    local runs = assert(bnn.run.list{runs = root})
    local list = core.json_decode(assert(runs_table.json(runs)))
    lu.assertEquals({#list, list[3].config.lr, list[3].metrics.loss}, {3, 1e-3, 1.0})
    local csv = runs_table.csv(runs_table.rows(runs, {"lr", "name"}), {"lr", "name"})
    lu.assertEquals(csv, "lr,name\n0.1,\n0.1,\n0.001,small\n")
  end)
end

TestOpen = {}

function TestOpen.test_a_run_is_found_by_the_start_the_end_the_name_and_last()
  in_folder(function(root)
    local ids = make_three(root)
    local opts = {runs = root}
    for _, row in ipairs{{ids[2], 2}, {ids[1]:sub(1, -2), 1}, {ids[2]:sub(10), 2}, {"small", 3},
                         {"last", 3}} do
      lu.assertEquals((bnn.run.find(row[1], opts)), ids[row[2]], row[1])
    end
    local none, message = bnn.run.find(ids[1]:sub(1, 4), opts)
    lu.assertNil(none)
    lu.assertStrContains(message, "is the start of 3 runs")
    lu.assertStrContains(select(2, bnn.run.open("nosuch", opts)), "no run 'nosuch' in " .. root)
    local fault = select(2, bnn.run.open("last", {runs = root .. "/none"}))
    lu.assertStrContains(fault, "no such folder")
    in_folder(function(empty)
      lu.assertStrContains(select(2, bnn.run.open("last", {runs = empty})), "holds no runs")
    end)
  end)
end

function TestOpen.test_an_open_run_has_its_configuration_its_curves_and_its_files()
  in_folder(function(root)
    make_run(root, {seed = 1, hidden = {64, 64}}, {loss = 3})
    local run = assert(bnn.run.open("last", {runs = root}))
    lu.assertEquals(run.config, {seed = 1, hidden = {64, 64}})
    lu.assertEquals({run.status, run.metrics.loss, run.extremes.loss.most}, {"completed", 3, 5})
    local steps, values = run:curve "loss"
    lu.assertEquals({steps:totable(), values:totable()}, {{0, 10, 20}, {5, 4, 3}})
    lu.assertNil((run:curve "none"))
    lu.assertEquals(run:files(), {"config.json", "manifest.sha256", "metrics.jsonl", "run.json"})
    lu.assertEquals({run:verify()}, {{}, 3})
    local model, message = run:model()
    lu.assertNil(model)
    lu.assertStrContains(message, "has no checkpoint")
    lu.assertEquals(tostring(run), "run: " .. run.id .. ", completed")
  end)
end

function TestOpen.test_a_run_that_nobody_makes_any_more_is_dead()
  in_folder(function(root)
    make_run(root, {}, {}, {status = "running"})
    lu.assertEquals(assert(bnn.run.open("last", {runs = root})).status, "dead")
    lu.assertEquals(assert(bnn.run.list{runs = root})[1].status, "dead")
    local folder = assert(run_folder.new(root))
    local about = {id = folder.id, status = "running"}
    assert(run_folder.write_json(folder.hidden .. "/run.json", about))
    assert(run_folder.write_json(folder.hidden .. "/config.json", {}))
    assert(run_folder.publish(folder))
    lu.assertEquals(assert(bnn.run.open(folder.id, {runs = root})).status, "running")
    folder.lock:release()
    lu.assertEquals(assert(bnn.run.open(folder.id, {runs = root})).status, "dead")
  end)
end

function TestOpen.test_without_a_record_nothing_is_current()
  lu.assertNil(bnn.run.current())
end

os.exit(lu.LuaUnit.run())
