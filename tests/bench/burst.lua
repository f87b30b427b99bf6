--- `make burst OLD=path/to/bnnlua`: how much slower or faster training steps are than those of
-- another build, to a percent or so on a machine that others use too.
--
-- Whole runs cannot tell 2%: their times vary by 10% and more from one to the next. Here processes
-- of both builds live side by side and train in turns, some 40 steps each, so that whatever slows
-- the machine slows both. A round is old, new, control, control, new, old (the order takes away a
-- drift); the control runs a copy of the old build, and its ratio should be 1. Of the ratios
-- the median is given, with its 95% interval by the bootstrap (Efron 1979).
--
-- Three things made one build look up to 5% slower than itself, and are taken away here:
--   the CPU: processes that wait for each other settle on different ones, which neighbours load
--     differently; so all are bound to the same, as many as there are threads;
--   the caches: who trained last finds them warm; so some steps go before the clock starts;
--   the pages that a process happened to get: so the processes are started anew several times,
--     and the bootstrap draws starts first, then pairs within each.
package.path = (arg[0]:match "^.*/" or "./") .. "?.lua;" .. package.path
local bnn = require "bnn"
local flags = require "bnn.run.flags"
local ratios = require "ratios"
local usage = require "bnn.run.usage"
local watch = assert(package.loadlib("", "luaopen_stopwatch"), "run me by `make burst`")()

local about = "the time of training steps of two builds, burst by burst in turns"
local WARM = 8 -- steps before each burst, as the processes before it have taken the caches
local defaults = {
  old = {"", "the program to compare with", type = "string"},
  new = {"build/bnnlua", "the program to measure", type = "string"},
  network = {{"h64", "h400", "vae", "lenet"}, "what is trained", type = "string",
             choices = {"h64", "h400", "vae", "lenet"}},
  threads = {{1, 2}, "numbers of threads", type = "integer", min = 1, max = 256},
  steps = {40, "steps of a burst", type = "integer", min = 1},
  pairs = {800, "pairs of bursts, old and new", type = "integer", min = 2},
  starts = {10, "how often the processes are started anew", type = "integer", min = 1},
}

-- ---- processes ----

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- The folder to run a build's worker in: the tree that the program was built in, as the worker is
-- written in the names of its library; this one where the program stands elsewhere.
local function tree_of(program)
  local tree = program:match "^(.*)/build/[^/]+$" or "."
  local worker = io.open(tree .. "/tests/bench/burst_worker.lua")
  if not worker then return "." end
  worker:close()
  return tree
end

-- The first CPUs of those that this process may use ("0-3,8"), as many as there are threads.
local function cpus_for(threads)
  local cpus = {}
  local status = io.open "/proc/self/status"
  local allowed = status and status:read("a"):match "Cpus_allowed_list:%s*(%S+)" or "0"
  if status then status:close() end
  for first, last in allowed:gmatch "(%d+)%-?(%d*)" do
    for cpu = tonumber(first), tonumber(last) or tonumber(first) do cpus[#cpus + 1] = cpu end
  end
  return table.concat(cpus, ",", 1, math.min(threads, #cpus))
end

-- Starts a worker in the folder `tree`; its burst() gives the seconds that cfg.steps steps take.
local function start(cfg, program, tree, network, threads)
  local pipe = os.tmpname()
  os.remove(pipe)
  assert(os.execute("mkfifo " .. quote(pipe)))
  local file = program:find "^/" and program or "$PWD/" .. quote(program)
  local words = {"program=" .. file, "&& cd", quote(tree), "&& exec taskset --cpu-list",
                 cpus_for(threads), "\"$program\"", "tests/bench/burst_worker.lua", network,
                 threads}
  local answers = assert(io.popen(table.concat(words, " ") .. " <" .. quote(pipe), "r"))
  local commands = assert(io.open(pipe, "w"))
  os.remove(pipe)
  commands:setvbuf "line"
  local worker = {}
  function worker.expect(answer)
    local line = answers:read()
    if line ~= answer then
      error(("%s: expected '%s', got '%s'"):format(program, answer, line), 0)
    end
  end
  local function train(count)
    commands:write(count, "\n")
    worker.expect "done"
  end
  function worker.burst()
    train(WARM)
    local from = watch.now()
    train(cfg.steps)
    return watch.now() - from
  end
  function worker.stop()
    commands:write "stop\n" -- its end alone does not do: later workers hold the pipe open too
    commands:close()
    answers:close()
  end
  return worker
end

local function add_ratio(list, a, b) list[#list + 1] = math.log(a / b) end

-- ---- rounds ----

-- The log ratios new / old and control / old of one start of the processes, and times of the old.
local function play(cfg, network, threads, rounds)
  local tree = tree_of(cfg.old)
  local old = start(cfg, cfg.old, tree, network, threads)
  local new = start(cfg, cfg.new, tree_of(cfg.new), network, threads)
  local control = start(cfg, cfg.copy, tree, network, threads)
  for _, worker in ipairs{old, new, control} do worker.expect "ready" end
  local news, controls, times = {}, {}, {}
  for _ = 1, rounds do
    local o1, n1, c1 = old.burst(), new.burst(), control.burst()
    local c2, n2, o2 = control.burst(), new.burst(), old.burst()
    add_ratio(news, n1, o1)
    add_ratio(news, n2, o2)
    add_ratio(controls, c1, o1)
    add_ratio(controls, c2, o2)
    times[#times + 1] = o1
  end
  for _, worker in ipairs{old, new, control} do worker.stop() end
  return news, controls, times
end

local function measure(cfg, network, threads)
  local news, controls, times = {}, {}, {}
  local rounds = (cfg.pairs + 2 * cfg.starts - 1) // (2 * cfg.starts)
  for i = 1, cfg.starts do
    news[i], controls[i], times[i] = play(cfg, network, threads, rounds)
  end
  return news, controls, ratios.median(ratios.all_of(times))
end

local function report(cfg)
  for _, network in ipairs(cfg.network) do
    for _, threads in ipairs(cfg.threads) do
      local news, controls, took = measure(cfg, network, threads)
      print(("%s, %d thread(s), bursts of %d steps (%.1f ms)"):format(network, threads, cfg.steps,
        1e3 * took))
      print(bnn.table_text.render(
        {ratios.row("new / old", news), ratios.row("old / old", controls)}, ratios.columns))
    end
  end
end

local function run(cfg)
  bnn.assert_or_exit(cfg.old ~= "", "--old=PROGRAM: the program to compare with is missing")
  math.randomseed(1)
  -- a copy: processes of one file share its pages in the caches
  cfg.copy = os.tmpname()
  assert(os.execute(("cp %s %s && chmod +x %s"):format(quote(cfg.old), cfg.copy, cfg.copy)))
  local ok, why = pcall(report, cfg)
  os.remove(cfg.copy)
  if not ok then error(why, 0) end
end

if flags.wants_help(arg) then
  io.write(usage.text({about = about, defaults = defaults}, "burst", run))
else
  run(bnn.assert_or_exit(flags.parse(arg, defaults)))
end
