--- Experiments (bnn.experiment): when main runs one, what a loaded one checks, how a run ends.
local lu = require "luaunit"
local experiment = require "bnn.run.experiment"
local logs = require "bnn.log.log"

local SOURCE = [[
local bnn = require "bnn.run.experiment"
local e = {
  about = "a toy",
  defaults = {
    lr = {0.5, "learning rate"},
    steps = {10, "steps", type = "integer", min = 1},
    hidden = {{4}, "units", type = "integer"},
    how = {"well", "how it ends", choices = {"well", "error", "refused", "SIGINT", "SIGTERM"}},
  },
}
function e.run(cfg, log)
  if cfg.how == "error" then error "a fault of the script" end
  if cfg.how == "refused" then bnn.assert_or_exit(nil, "no data there") end
  if cfg.how:find "^SIG" then
    local ok, err = pcall(function()
      io.popen("kill -" .. cfg.how:sub(4) .. " $PPID"):close()
      for _ = 1, 1e9 do _ = _ end
    end)
    if not ok and cfg.steps > 10 then err.step = cfg.steps end
    error(err, 0)
  end
  log:row(cfg.steps, {{"lr", cfg.lr}})
  local hidden = {table.unpack(cfg.hidden)}
  hidden[1] = hidden[1] + 1
  return {lr = cfg.lr, hidden = hidden[1]}, {cfg = cfg}
end
]]

local RAN = "     10 | lr                                  0.500\n"

local folder, files = os.tmpname(), {}

local function write(name, text)
  local path = folder .. "." .. name
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  files[#files + 1] = path
  return path
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Runs this interpreter on a command line of words; gives stdout, stderr and the exit status.
local function run(...)
  local words = {"BNNLUA_RUNS= " .. quote(arg[-1])}
  for _, word in ipairs{...} do words[#words + 1] = word:find "^<" and word or quote(word) end
  local errors = folder .. ".err"
  local pipe = io.popen(table.concat(words, " ") .. " 2> " .. quote(errors))
  local out = pipe:read "a"
  local _, _, status = pipe:close()
  local file <close> = assert(io.open(errors))
  return out, file:read "a", status
end

local toy = write("toy.lua", SOURCE .. "return bnn.main(e)\n")
local toy_call = write("call.lua", SOURCE .. "bnn.main(e)\nprint(e.about)\n")

TestMain = {}

function TestMain.test_it_runs_the_programs_own_file()
  lu.assertEquals({run(toy)}, {RAN, "", 0})
  lu.assertEquals({run(toy, "--lr=2")}, {(RAN:gsub("0%.500", "2.000")), "", 0})
  lu.assertEquals({run(toy_call)}, {RAN .. "a toy\n", "", 0})
  lu.assertEquals({run("-", "--steps=10", "< " .. toy)}, {RAN, "", 0})
end

function TestMain.test_it_only_hands_over_a_file_that_another_loads()
  local rows = {
    ("dofile(%q)"):format(toy), ("return dofile(%q)"):format(toy), ("dofile(%q)"):format(toy_call),
    ("require 'bnn.run.experiment'.load_experiment(%q)"):format(toy),
    ("return require 'bnn.run.experiment'.load_experiment(%q)"):format(toy),
    ("package.path = %q .. package.path; require 'toy'"):format(folder .. ".?.lua;"),
    ("package.path = %q .. package.path; return require 'toy'"):format(folder .. ".?.lua;"),
    ("assert(loadfile(%q))()"):format(toy), ("assert(loadfile(%q))()"):format(toy_call),
    ("return assert(loadfile(%q))()"):format(toy_call), -- a tail call
    ("coroutine.wrap(assert(loadfile(%q)))()"):format(toy),
    ("pcall(dofile, %q)"):format(toy),
  }
  for i, text in ipairs(rows) do
    local out, errors, status = run(write("sweep" .. i .. ".lua", text .. "\n"))
    lu.assertEquals({(out:gsub("a toy\n", "")), errors, status}, {"", "", 0}, text)
  end
end

function TestMain.test_a_module_required_by_the_command_line_is_not_run()
  local path = ("package.path = %q .. package.path"):format(folder .. ".?.lua;")
  lu.assertEquals({run("-e", path, "-l", "toy", write("nothing.lua", ""))}, {"", "", 0})
end

function TestMain.test_without_a_script_the_words_are_the_interpreters_not_flags()
  local text = "require 'bnn.run.experiment'.main{run = function() print 'ran' end}"
  lu.assertEquals({run("-e", text)}, {"ran\n", "", 0})
  lu.assertEquals({run("< " .. toy)}, {RAN, "", 0})
end

function TestMain.test_a_file_that_loads_itself_is_run_once()
  local inner = "if not Inner then Inner = true; bnn.load_experiment(arg[0]) end\n"
  local text = SOURCE .. inner .. "return bnn.main(e)\n"
  lu.assertEquals({run(write("self.lua", text))}, {RAN, "", 0})
end

function TestMain.test_help_goes_to_stdout_and_nothing_runs()
  for _, flag in ipairs{"-h", "--help"} do
    local out, errors, status = run(toy, flag, "--nonsense")
    lu.assertEquals({errors, status}, {"", 0})
    lu.assertStrContains(out, " [--flag=value ...]\n\na toy\n")
    lu.assertStrContains(out, "learning rate (default 0.5)\n")
    lu.assertNotStrContains(out, " | lr")
  end
end

function TestMain.test_refusals_are_one_line_on_stderr_and_status_1()
  local rows = {
    {"--setps=3", "unknown flag --setps: did you mean --steps?"},
    {"--steps=0", "--steps: expected at least 1, got '0'"},
    {"--how=refused", "no data there"},
  }
  for _, row in ipairs(rows) do
    local out, errors, status = run(toy, row[1])
    lu.assertEquals({out, status}, {"", 1})
    lu.assertEquals(errors:match "^[^:\n]+: (.*)\n$", row[2])
  end
end

function TestMain.test_plain_words_are_for_those_that_declare_them()
  lu.assertEquals({run(toy, "a.png")}, {"",
    "bnnlua: unexpected argument a.png: flags are written --name=value\n", 1})
  local taking = write("taking.lua", [[
    return require "bnn.run.experiment".main{
      positional = {"file ...", "files to look at"}, defaults = {n = {1, "a number"}},
      run = function(cfg) print(cfg.n, table.concat(cfg.positional, ",")) end,
    }]])
  lu.assertEquals({run(taking, "a.png", "--n=2", "b", "--", "--c")}, {"2\ta.png,b,--c\n", "", 0})
  lu.assertEquals({run(taking)}, {"1\t\n", "", 0})
  lu.assertStrContains((run(taking, "--help")), "\n  file ...                  files to look at\n")
  local e = experiment.load_experiment(taking)
  lu.assertErrorMsgContains("positional: expected a list, got 3", e.run, {positional = 3})
end

function TestMain.test_an_error_of_the_script_keeps_its_place_and_traceback()
  local out, errors, status = run(toy, "--how=error")
  lu.assertEquals({out, status}, {"", 1})
  lu.assertStrContains(errors, "toy.lua:12: a fault of the script\nstack traceback:\n")
  lu.assertStrContains(errors, "toy.lua:12: in ")
end

function TestMain.test_an_interrupt_ends_with_its_step_and_128_plus_the_signal()
  lu.skipIf(not require "bnn.signal".raise_if_pending, "needs bnnlua's own signals")
  local at = " at step 77: the parameters are those of the last complete step"
  for name, status in pairs{SIGINT = 130, SIGTERM = 143} do
    local text = "bnnlua: interrupted by " .. name
    lu.assertEquals({run(toy, "--how=" .. name)}, {"", text .. "\n", status})
    lu.assertEquals({run(toy, "--how=" .. name, "--steps=77")}, {"", text .. at .. "\n", status})
  end
end

function TestMain.test_old_names_of_functions_say_the_new_ones()
  local library = require "bnn"
  lu.assertErrorMsgContains("bnn.demand is now bnn.assert_or_exit",
    function() return library.demand end)
  lu.assertErrorMsgContains("bnn.data.demand is now bnn.data.load_or_exit",
    function() return library.data.demand end)
end

function TestMain.test_a_renamed_flag_says_its_new_name()
  local script = write("renamed.lua", [[
    return require "bnn".main{
      defaults = {data_dir = {nil, "a folder"}}, renamed = {data = "data_dir"},
      run = function(cfg) print(cfg.data_dir) end,
    }]])
  lu.assertEquals({run(script, "--data=x")}, {"", "bnnlua: --data is now --data_dir\n", 1})
  lu.assertEquals({run(script, "--data_dir=x")}, {"x\n", "", 0})
  local e = experiment.load_experiment(script)
  lu.assertErrorMsgContains("run: data is now data_dir", e.run, {data = "x"})
end

function TestMain.test_an_experiment_without_run_is_refused()
  local wanted = "{about=, defaults=, run=function(cfg, log) ... end}"
  lu.assertErrorMsgContains("experiment: expected " .. wanted .. ", got a table",
    experiment.main, {about = "x"})
  lu.assertErrorMsgContains("defaults.lr: expected {value, \"meaning\"}", experiment.main,
    {defaults = {lr = 1}, run = print})
  for _, words in ipairs{"files", {}, {"file ..."}, true} do
    lu.assertErrorMsgContains('positional: expected {"image.png ...", "meaning"}, got ',
      experiment.main, {positional = words, run = print})
  end
end

function TestMain.test_main_twice_wraps_once()
  local e = {run = function() end}
  local sealed = experiment.main(e).run
  lu.assertIs(experiment.main(e).run, sealed)
end

TestRun = {}

local function loaded()
  return experiment.load_experiment(toy), logs.memory()
end

function TestRun.test_it_fills_in_what_is_left_out_and_gives_metrics_and_artefacts()
  local e, log = loaded()
  local metrics, artefacts = e.run({steps = 3}, log)
  lu.assertEquals(metrics.lr, 0.5)
  lu.assertEquals(artefacts.cfg, {lr = 0.5, steps = 3, hidden = {4}, how = "well"})
  lu.assertEquals({log:last "lr"}, {0.5, 3})
end

function TestRun.test_it_may_be_called_as_a_method_and_without_a_configuration()
  local e, log = loaded()
  lu.assertEquals(e:run({lr = 2}, log).lr, 2)
  lu.assertEquals(e.run(nil, log).lr, 0.5)
  lu.assertEquals(log:last "lr", 0.5)
end

function TestRun.test_no_run_changes_the_defaults_or_the_table_it_was_given()
  local e, log = loaded()
  local cfg = {hidden = {7}}
  lu.assertEquals({e.run(cfg, log).hidden, e.run(cfg, log).hidden}, {8, 8})
  lu.assertEquals({e.run({}, log).hidden, e.run({}, log).hidden}, {5, 5})
end

function TestRun.test_values_are_checked_as_those_of_flags_at_the_line_of_the_caller()
  local e, log = loaded()
  local rows = {
    {{setps = 1},
     "unknown option 'setps': did you mean 'steps'? known are hidden, how, ledger, log, lr, "},
    {{steps = 0}, "run: steps: expected at least 1, got 0"},
    {{steps = 0.5}, "run: steps: expected an integer, got 0.5"},
    {{lr = "1"}, 'run: lr: expected a number, got "1"'},
    {{how = "wel"}, "expected one of well, error, refused, SIGINT, SIGTERM (did you mean well?)"},
  }
  for _, row in ipairs(rows) do
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, fault = pcall(function() e.run(row[1], log) end)
    lu.assertFalse(ok)
    lu.assertStrContains(fault, "test_experiment.lua:" .. line .. ": run: ")
    lu.assertStrContains(fault, row[2])
  end
end

function TestRun.test_without_a_log_it_goes_to_the_console()
  local text = ("require 'bnn.run.experiment'.load_experiment(%q).run{}\n"):format(toy)
  lu.assertEquals({run(write("console.lua", text))}, {RAN, "", 0})
end

function TestRun.test_a_function_is_a_log()
  local seen
  loaded().run({}, function(step, rows) seen = {step, rows} end)
  lu.assertEquals(seen, {10, {{"lr", 0.5}}})
end

function TestRun.test_a_refusal_reaches_the_caller_as_an_object_with_its_message()
  local e, log = loaded()
  local ok, fault = pcall(e.run, {how = "refused"}, log)
  lu.assertFalse(ok)
  lu.assertEquals({fault.message, fault.status}, {"no data there", 1})
  lu.assertEquals(tostring(fault), "no data there")
end

TestLoad = {}

function TestLoad.test_what_is_no_experiment_is_refused_by_name()
  local none = write("none.lua", "return 3\n")
  local broken = write("broken.lua", "return (\n")
  local load = experiment.load_experiment
  lu.assertErrorMsgContains("bnn.load_experiment: " .. none
    .. ": expected a table with a function 'run', got a number", load, none)
  lu.assertErrorMsgContains("/no/such/file.lua", load, "/no/such/file.lua")
  lu.assertErrorMsgContains("broken.lua:", load, broken)
  lu.assertErrorMsgContains("bnn.load_experiment: expected a path, got nil", load)
end

function TestLoad.test_a_file_that_returns_a_plain_table_is_checked_as_well()
  local e = experiment.load_experiment(write("plain.lua", SOURCE .. "return e\n"))
  lu.assertErrorMsgContains("unknown option 'setps'", e.run, {setps = 1})
end

function TestLoad.test_a_module_name_will_do()
  package.preload["toy.module"] = function() return dofile(toy) end
  lu.assertEquals(experiment.load_experiment "toy.module".about, "a toy")
end

function TestLoad.test_an_experiment_is_found_by_its_name_and_goes_on_with_what_it_made()
  local e = experiment.load "cubic"
  lu.assertStrContains(e.path, "experiments/cubic.lua")
  local r = e.run({steps = 20, figures = ""}, logs.memory())
  lu.assertEquals(r.state:steps(), 20)
  lu.assertEquals(r.posterior, r.objective.posterior)
  lu.assertEquals(r.net, r.objective.net)
  local names = {}
  for name, value in pairs(r) do names[#names + 1] = name .. type(value) end
  table.sort(names)
  lu.assertEquals(names, {"coverage90number", "rmsenumber", "wideningnumber"})
  lu.assertStrContains(tostring(r), "; holds data, model, net, objective, posterior, state")
  local bnn = require "bnn"
  local state = bnn.train{
    objective = r.objective, optimizer = bnn.optim.adam{lr = 1e-3}, state = r.state,
    data = r.data.train, steps = 5, batch_size = 100, key = bnn.key(2),
  }
  lu.assertEquals({state:steps(), r.state:steps()}, {25, 25})
end

function TestLoad.test_a_name_that_nothing_has_is_refused_with_where_it_was_looked_for()
  lu.assertErrorMsgContains("bnn.load_experiment: nosuch: expected a file, a module or the name of "
    .. "an experiment; there is none in experiments, ", experiment.load, "nosuch")
end

TestDemand = {}

function TestDemand.test_it_gives_all_values_or_refuses()
  lu.assertEquals({experiment.assert_or_exit(1, 2, 3)}, {1, 2, 3})
  local ok, fault = pcall(experiment.assert_or_exit, nil, "no such file")
  lu.assertEquals({ok, fault.message}, {false, "no such file"})
end

TestInterrupt = {}

function TestInterrupt.test_the_message_is_set_once_and_only_on_interrupts()
  local function interrupt(fields) return setmetatable(fields, {__name = "bnn.interrupt"}) end
  local explain = experiment.explain_interrupt
  lu.assertEquals(explain(interrupt{name = "SIGINT"}).message, "interrupted by SIGINT")
  lu.assertEquals(explain(interrupt{name = "SIGTERM", step = 4}).message,
    "interrupted by SIGTERM at step 4: the parameters are those of the last complete step")
  lu.assertEquals(explain(interrupt{name = "SIGINT", message = "mine"}).message, "mine")
  lu.assertEquals(explain("text"), "text")
  lu.assertEquals(explain{name = "x"}, {name = "x"})
  lu.assertNil(explain(nil))
end

local status = lu.LuaUnit.run()
for _, path in ipairs(files) do os.remove(path) end
os.remove(folder)
os.remove(folder .. ".err")
os.exit(status)
