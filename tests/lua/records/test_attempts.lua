--- Attempts of a recorded run: what a next one takes over, what refuses it, and what an earlier one
-- can no longer change; and records that a program makes of many runs.
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local metric_summary = require "bnn.records.metric_summary"
local record_run = require "bnn.records.record_run"
local recorded_run = require "bnn.run.recorded_run"
local recorder = require "bnn.records.recorder"
local run_facts = require "bnn.records.run_facts"
local run_folder = require "bnn.records.run_folder"
local run_list = require "bnn.records.run_list"
local run_words = require "bnn.records.run_words"

local SCRIPT = arg[0]

-- A folder that is there while `use` runs.
local function in_folder(use)
  local folder = os.tmpname()
  os.remove(folder)
  assert(core.make_folder(folder))
  local ok, fault = pcall(use, folder)
  os.execute("rm -rf " .. folder)
  if not ok then error(fault, 0) end
end

local function append(path, text)
  local file <close> = assert(io.open(path, "ab"))
  assert(file:write(text))
end

local function start(root, config)
  return assert(recorder.start{root = root, script = SCRIPT, argv = {"--seed=1"}, about = "a toy",
    config = config or {seed = 1}, result_flags = {"seed"}, place_flags = {}})
end

local function log_steps(record, first, last)
  local log = record:log()
  for step = first, last do log:row(step, {{"loss", 10.0 - step}}) end
end

-- A run as a killed process leaves it.
local function die(record)
  record.rows:close()
  record.folder.lock:release()
  for _, stream in ipairs{"stdout", "stderr"} do core.capture_end(stream) end
  os.exit = record.exit -- luacheck: ignore 122
end

local function resume(root, id, opts)
  local all = {root = root, id = id}
  for name, v in pairs(opts or {}) do all[name] = v end
  return recorder.resume(all)
end

local function about_of(record) return run_folder.read_json(record.folder.path .. "/run.json") end

TestAttempts = {}

function TestAttempts.test_a_dead_run_goes_on_in_its_folder()
  in_folder(function(root)
    local first = start(root)
    log_steps(first, 1, 4)
    die(first)
    local id, path = first.about.id, first.folder.path
    lu.assertEquals(bnn.run.open(id, {runs = root}).status, "dead")
    local second = assert(resume(root, id))
    lu.assertEquals({second.folder.path, second.about.attempt}, {path, 2})
    log_steps(second, 3, 6)
    second:results{final = 7}
    second:finish "completed"
    local run = bnn.run.open(id, {runs = root})
    lu.assertEquals({run.status, run.about.attempt, run.metrics.final}, {"completed", 2, 7})
    local steps, values = run:curve "loss"
    lu.assertEquals(steps:totable(), {1, 2, 3, 4, 5, 6})
    lu.assertEquals(values:totable(), {9, 8, 7, 6, 5, 4})
    lu.assertEquals({run:verify()}, {{}, #run:files() - 1})
    local earlier = run.about.earlier_attempts
    lu.assertEquals({#earlier, earlier[1].number, earlier[1].status}, {1, 1, "dead"})
    lu.assertEquals(run.about.started, earlier[1].started)
    lu.assertStrContains(require "bnn.records.runs_show".run(run), "earlier attempts:\n  1: dead, ")
  end)
end

function TestAttempts.test_the_ledger_has_both()
  in_folder(function(root)
    local first = start(root)
    die(first)
    local second = assert(resume(root, first.about.id))
    second:finish "completed"
    local ask = "SELECT number, status FROM attempt ORDER BY number"
    local book = assert(ledger.open(root, false))
    lu.assertEquals(book:ask(ask), {{1, "dead"}, {2, "completed"}})
    lu.assertEquals(book:ask "SELECT attempt, status FROM run", {{2, "completed"}})
    lu.assertEquals(book:ask "SELECT count(*) FROM param", {{1}})
    book:close()
    lu.assertEquals(run_list.rebuild(root), 1)
    book = assert(ledger.open(root, false))
    lu.assertEquals(book:ask(ask), {{1, "dead"}, {2, "completed"}})
    book:close()
  end)
end

-- The process of the first attempt was only thought dead.
function TestAttempts.test_an_earlier_attempt_changes_nothing()
  in_folder(function(root)
    local first = start(root)
    log_steps(first, 1, 2)
    first.folder.lock:release()
    local before = os.exit
    for _, stream in ipairs{"stdout", "stderr"} do core.capture_end(stream) end
    local second = assert(resume(root, first.about.id))
    log_steps(first, 3, 3)
    second:results{final = 1}
    second:finish "completed"
    os.exit = before -- luacheck: ignore 122
    local path = second.folder.path
    local was = {run_folder.read(path .. "/run.json"), run_folder.read(path .. "/metrics.jsonl")}
    first:results{final = 2}
    first:finish "failed"
    lu.assertEquals(run_folder.verify(path), {})
    lu.assertEquals({run_folder.read(path .. "/run.json"),
      run_folder.read(path .. "/metrics.jsonl")}, was)
    lu.assertEquals(was[2], '{"step":1,"loss":9}\n{"step":2,"loss":8}\n')
    local run = assert(bnn.run.list{runs = root})[1]
    lu.assertEquals({run.status, run.metrics.final.value}, {"completed", 1})
  end)
end

function TestAttempts.test_what_cannot_be_resumed_says_why()
  in_folder(function(root)
    local record = start(root)
    local id = record.about.id
    lu.assertStrContains(select(2, resume(root, id)), id .. ": is still running")
    record:finish "completed"
    lu.assertStrContains(select(2, resume(root, id)), "is completed: there is nothing to resume")
    lu.assertNil((resume(root, "20260101-000000-000-0000")))
    local other = start(root)
    die(other)
    local no = {check = function() return nil, "is another" end}
    lu.assertEquals({resume(root, other.about.id, no)}, {nil, "is another"})
    lu.assertEquals(about_of(other).attempt, 1)
  end)
end

function TestAttempts.test_a_run_of_another_machine_that_was_heard_of_is_not_taken()
  in_folder(function(root)
    local record = start(root)
    die(record)
    local path = record.folder.path
    local about = about_of(record)
    about.host = "elsewhere"
    assert(run_folder.write_json(path .. "/run.json", about))
    lu.assertStrContains(select(2, resume(root, about.id)), "is running on elsewhere, which was")
    lu.assertEquals(bnn.run.open(about.id, {runs = root}).status, "running")
    assert(run_folder.write(path .. "/heartbeat", "2026-01-01 00:00:00.000 7\n"))
    lu.assertEquals(bnn.run.open(about.id, {runs = root}).status, "dead")
    local second = assert(resume(root, about.id))
    lu.assertEquals(second.about.earlier_attempts[1].host, "elsewhere")
    second:finish "completed"
  end)
end

function TestAttempts.test_a_sealed_run_that_changed_is_not_resumed()
  in_folder(function(root)
    local record = start(root)
    log_steps(record, 1, 2)
    record:finish("failed", "no more")
    local path, id = record.folder.path, record.about.id
    append(path .. "/more.txt", "x") -- harmless
    core.set_mode(path .. "/metrics.jsonl", 0x1a4)
    append(path .. "/metrics.jsonl", " ")
    lu.assertStrContains(select(2, resume(root, id)), "is not what it was: metrics.jsonl: changed")
    lu.assertTrue(run_folder.has_seal(path))
    local text = assert(run_folder.read(path .. "/metrics.jsonl"))
    assert(run_folder.write(path .. "/metrics.jsonl", text:sub(1, -2)))
    local second = assert(resume(root, id))
    lu.assertFalse(run_folder.has_seal(path))
    lu.assertNil(about_of(second).failure)
    lu.assertEquals(second.about.earlier_attempts[1].failure, "no more")
    second:finish "completed"
    lu.assertEquals(run_folder.verify(path), {})
    local run = assert(bnn.run.list{runs = root})[1]
    lu.assertEquals({run.status, run.failure}, {"completed"})
  end)
end

function TestAttempts.test_half_a_line_is_mended()
  for _, row in ipairs{
    {'{"step":3,"lo', ""}, {'{"step":3,"loss":7}', '{"step":3,"loss":7}\n'}, {"", ""},
  } do
    in_folder(function(root)
      local first = start(root)
      log_steps(first, 1, 2)
      die(first)
      local path = first.folder.path
      append(path .. "/metrics.jsonl", row[1])
      append(path .. "/output.txt", "half a l")
      local second = assert(resume(root, first.about.id))
      second:finish "completed"
      lu.assertEquals(run_folder.read(path .. "/metrics.jsonl"),
        '{"step":1,"loss":9}\n{"step":2,"loss":8}\n' .. row[2])
      lu.assertEquals(run_folder.read(path .. "/output.txt"), "half a l\n")
    end)
  end
end

function TestAttempts.test_an_attempt_that_cannot_begin_leaves_the_run_as_it_was()
  in_folder(function(root)
    local first = start(root)
    log_steps(first, 1, 2)
    first:finish "interrupted"
    local path = first.folder.path
    assert(core.make_folder(path .. "/output.txt.next.part")) -- where its copy would go
    assert(core.make_folder(path .. "/output.txt.next"))
    lu.assertNil((resume(root, first.about.id)))
    os.remove(path .. "/output.txt.next.part")
    os.remove(path .. "/output.txt.next")
    lu.assertEquals(run_folder.verify(path), {})
    lu.assertEquals(about_of(first).status, "interrupted")
  end)
end

function TestAttempts.test_rows_of_a_step_that_come_again_replace_the_earlier()
  local blocks = {
    {step = 1, rows = {{"a", 1}, {"b", 1}}}, {step = 2, rows = {{"a", 2}}},
    {step = 1, rows = {{"a", 3}}}, {step = 3, rows = {{"a", 4}}},
  }
  lu.assertEquals(metric_summary.last_rows(blocks), {
    {step = 1, rows = {{"b", 1}}}, {step = 2, rows = {{"a", 2}}}, {step = 1, rows = {{"a", 3}}},
    {step = 3, rows = {{"a", 4}}},
  })
end

function TestAttempts.test_extremes_are_of_the_last_rows_in_the_ledger_too()
  in_folder(function(root)
    local first = start(root)
    first:log():row(1, {{"loss", 100.0}})
    die(first)
    local second = assert(resume(root, first.about.id))
    log_steps(second, 1, 2)
    second:finish "completed"
    for _ = 1, 2 do
      local loss = assert(bnn.run.list{runs = root})[1].metrics.loss
      lu.assertEquals({loss.most, loss.least, loss.value}, {9.0, 8.0, 8.0})
      run_list.rebuild(root)
    end
  end)
end

-- The ledger is written after the folder, and a kill may come between.
function TestAttempts.test_an_end_that_only_the_folder_has_counts()
  in_folder(function(root)
    local record = start(root)
    record:finish "completed"
    local book = assert(ledger.open(root, true))
    assert(book:change(function(write) write "UPDATE run SET status = 'running'" end))
    book:close()
    lu.assertEquals(assert(bnn.run.list{runs = root})[1].status, "completed")
  end)
end

-- What run.json says of the end follows the manifest.
function TestAttempts.test_a_run_that_is_killed_while_it_is_sealed_has_not_ended()
  in_folder(function(root)
    local record = start(root)
    local about = about_of(record)
    die(record)
    local path = record.folder.path
    about.status = "completed"
    local before = assert(run_folder.read(path .. "/run.json"))
    assert(run_folder.seal(path, about))
    lu.assertEquals(run_folder.verify(path), {})
    os.remove(path .. "/run.json")
    assert(run_folder.write(path .. "/run.json", before)) -- as it is before the last rename
    lu.assertEquals(bnn.run.open(about.id, {runs = root}).status, "dead")
    local second = assert(resume(root, about.id))
    second:finish "completed"
    lu.assertEquals(run_folder.verify(path), {})
  end)
end

TestUpgrade = {}

-- What a ledger of a version had no columns and tables for yet.
local LACKED = {
  {columns = {"sweep", "trial", "replicate", "folder"}, tables = {"submission"}},
  {columns = {"folder"}, tables = {"submission"}},
}

-- Makes the ledger of a root one of an earlier version.
local function age(root, version)
  local db = assert(core.sql_open(ledger.path(root), true))
  for _, name in ipairs(LACKED[version].columns) do
    assert(db:run("ALTER TABLE run DROP COLUMN " .. name))
  end
  for _, name in ipairs(LACKED[version].tables) do assert(db:run("DROP TABLE " .. name)) end
  assert(db:run("UPDATE ledger SET value = $1", tostring(version)))
  db:close()
end

function TestUpgrade.test_a_ledger_of_an_earlier_version_keeps_its_rows()
  for version = 1, #LACKED do
    for _, may_write in ipairs{true, false} do
      in_folder(function(root)
        local record = start(root)
        record:finish "completed"
        age(root, version)
        local book = assert(ledger.open(root, may_write))
        local rows = book:ask "SELECT id, status, sweep, folder FROM run"
        lu.assertEquals(rows, {{record.about.id, "completed"}})
        lu.assertEquals(book:ask "SELECT value FROM ledger", {{"3"}})
        lu.assertEquals(book:ask "SELECT count(*) FROM submission", {{0}})
        book:close()
        assert(run_list.rebuild(root))
        lu.assertEquals(assert(run_list.read(root))[1].folder,
          ("%s:%s/%s"):format(core.host(), root, record.about.id))
      end)
    end
  end
end

function TestUpgrade.test_one_of_a_later_version_is_not_written()
  in_folder(function(root)
    local record = start(root)
    record:finish "completed"
    local db = assert(core.sql_open(ledger.path(root), true))
    assert(db:run "UPDATE ledger SET value = '99'")
    db:close()
    local book, message = ledger.open(root, true)
    lu.assertNil(book)
    lu.assertStrContains(message, "runs.db: it is of a later version")
  end)
end

TestMany = {}

local function toy(run)
  return bnn.main{
    about = "a toy", common = {"seed", "checkpoint"},
    defaults = {lr = {0.1, "rate", type = "schedule"}, hidden = {{4, 4}, "units"},
                fast = {true, "fast"}},
    run = run or function(cfg, log)
      log:row(1, {{"loss", cfg.seed * 2.0}})
      return {loss = cfg.seed * 2.0}
    end,
  }
end

function TestMany.test_a_configuration_is_recorded_with_the_command_that_gives_it()
  in_folder(function(root)
    local facts = assert(run_facts.gather(SCRIPT))
    local quiet = bnn.log.memory()
    for trial = 1, 2 do
      local metrics = recorded_run.run(toy(), {seed = trial, hidden = {4, 8}, fast = false}, {
        root = root, script = SCRIPT, facts = facts, log = quiet,
        labels = {sweep = "s1", trial = trial, replicate = 1},
      })
      lu.assertEquals(metrics.loss, trial * 2.0)
    end
    local runs = assert(bnn.run.list{runs = root, where = {"sweep=s1", "trial=2"}})
    lu.assertEquals({#runs, runs[1].status, runs[1].replicate}, {1, "completed", 1})
    lu.assertEquals(runs[1].command, ("bnnlua %s --no_fast --hidden=4,8 --seed=2"):format(SCRIPT))
    local run = bnn.run.open(runs[1].id, {runs = root})
    lu.assertEquals({run.config.lr, run.about.sweep, run.about.trial}, {0.1, "s1", 2})
    lu.assertEquals(run:verify(), {})
    for _, source in ipairs(facts.sources) do
      lu.assertTrue(run_folder.read(run.path .. "/" .. source.file) == source.text)
    end
    run_list.rebuild(root)
    lu.assertEquals(#assert(bnn.run.list{runs = root, where = "sweep=s1"}), 2)
  end)
end

function TestMany.test_an_error_is_recorded_and_passes()
  in_folder(function(root)
    local bad = toy(function() error "no such luck" end)
    local opts = {root = root, script = SCRIPT, log = bnn.log.memory()}
    lu.assertErrorMsgContains("no such luck", recorded_run.run, bad, {}, opts)
    local run = assert(bnn.run.open("last", {runs = root}))
    lu.assertEquals(run.status, "failed")
    lu.assertStrContains(run.about.failure, "no such luck")
    lu.assertNil(bnn.run.current())
    opts.resume = run.id
    lu.assertEquals(recorded_run.run(toy(), {}, opts).loss, 2.0)
    lu.assertEquals(assert(bnn.run.open("last", {runs = root})).about.attempt, 2)
  end)
end

function TestMany.test_a_run_goes_on_with_its_own_flags_only()
  in_folder(function(root)
    local opts = {root = root, script = SCRIPT, log = bnn.log.memory()}
    pcall(recorded_run.run, toy(function() error "no" end), {seed = 3}, opts)
    opts.resume = run_folder.ids(root)[1]
    local ok, message = recorded_run.run(toy(), {seed = 4}, opts)
    lu.assertNil(ok)
    lu.assertStrContains(message, "cannot resume: seed: 3 in the record, 4 here")
    opts.script = arg[-1] -- another file
    ok, message = recorded_run.run(toy(), {seed = 3}, opts)
    lu.assertNil(ok)
    lu.assertStrContains(message, "it is not the recorded " .. SCRIPT)
  end)
end

-- The configuration that the run of an experiment gets.
local function config_of(root, cfg, opts)
  local got
  local e = toy(function(c) got = c end)
  local all = {root = root, script = SCRIPT, log = bnn.log.memory()}
  for name, v in pairs(opts or {}) do all[name] = v end
  recorded_run.run(e, cfg, all)
  return got
end

function TestMany.test_checkpoints_without_a_folder_are_in_the_record()
  in_folder(function(root)
    lu.assertNil(config_of(root, {}).checkpoint)
    lu.assertEquals(config_of(root, {checkpoint = "x"}).checkpoint, "x")
    local cfg = config_of(root, {checkpoint_every = 7})
    local ids = run_folder.ids(root)
    lu.assertEquals({cfg.checkpoint, cfg.checkpoint_every, cfg.resume},
      {root .. "/" .. ids[#ids] .. "/checkpoints", 7, false})
    lu.assertErrorMsgContains("--checkpoint_every needs --checkpoint=DIR",
      bnn.checkpoint.from_flags, {checkpoint_every = 7})
  end)
end

function TestMany.test_words_give_the_configuration_back()
  local e = toy()
  local cfg = {seed = 2, lr = "cosine:0.1:0:10", hidden = {7}, fast = false}
  local words = run_words.of_config(cfg)
  lu.assertEquals(words, {"--no_fast", "--hidden=7", "--lr=cosine:0.1:0:10", "--seed=2"})
  local read = assert(require "bnn.run.flags".parse(words, e.defaults))
  for name, v in pairs(cfg) do lu.assertEquals(read[name], v) end
  words = run_words.of_config{a = 2.0, b = {1, 2.0}, c = 1e300, d = -3, e = 0.1, f = {}}
  lu.assertEquals(words, {"--a=2.0", "--b=1,2.0", "--c=1e+300", "--d=-3", "--e=0.1", "--f="})
  lu.assertEquals(run_words.of_config{positional = {"a b", "-c"}}, {"--", "a b", "-c"})
  lu.assertEquals(run_words.of_changes({seed = 1, hidden = {4, 4}, lr = 0.1}, e.defaults), {})
  lu.assertEquals(run_words.command("my script.lua", {"--name=a b"}),
    "bnnlua 'my script.lua' '--name=a b'")
end

function TestMany.test_the_record_run_entries_are_all_in_the_flags()
  local e = toy()
  for name, entry in pairs(record_run.entries) do lu.assertIs(e.defaults[name], entry) end
end

TestInterrupts = {}

-- A signal while the record is sealed: the run is complete, and then the program is interrupted.
function TestInterrupts.test_an_interrupt_waits_for_the_end_of_the_record()
  in_folder(function(root)
    local seal = run_folder.seal
    local experiment = bnn.main{about = "a toy", defaults = {}, run = function() return {a = 1} end}
    local job = assert(core.fork(function()
      function run_folder.seal(...)
        local _, pid = core.host()
        os.execute(("kill -TERM %d"):format(pid))
        return seal(...)
      end
      recorded_run.run(experiment, {}, {root = root, script = SCRIPT})
      os.exit(9) -- it has not been interrupted
    end))
    local events = core.wait_jobs({job}, 60)
    lu.assertEquals(events[#events].status, 143)
    local run = assert(bnn.run.open("last", {runs = root}))
    lu.assertEquals({run.status, run.metrics.a, run:verify()},
      {"completed", 1, {}, #run:files() - 1})
    local book <close> = assert(ledger.open(root))
    lu.assertEquals(book:ask "SELECT status FROM run", {{"completed"}})
  end)
end

os.exit(lu.LuaUnit.run())
