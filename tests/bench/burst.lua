--- `make burst OLD=path/to/bnnlua`: how much slower or faster training steps are than those of
-- another build, to a percent or so on a machine that others use too.
--
-- Whole runs cannot tell 2%: their times vary by 10% and more from one to the next. Here processes
-- of both builds live side by side and train in turns, some 40 steps each, so that whatever slows
-- the machine slows both. A round is old, new, control, control, new, old (the order takes away a
-- drift); the control is a second process of the old build, whose ratio should be 1. Of the rounds'
-- ratios the median is given, with its 95% interval by the bootstrap (Efron 1979).
local bnn = require "bnn"
local flags = require "bnn.run.flags"
local usage = require "bnn.run.usage"
local watch = assert(package.loadlib("", "luaopen_stopwatch"), "run me by `make burst`")()

local about = "the time of training steps of two builds, burst by burst in turns"
local defaults = {
  old = {"", "the program to compare with", type = "string"},
  new = {"build/bnnlua", "the program to measure", type = "string"},
  network = {{"h64", "h400", "vae", "lenet"}, "what is trained", type = "string",
             choices = {"h64", "h400", "vae", "lenet"}},
  threads = {{1, 2}, "numbers of threads", type = "integer", min = 1, max = 256},
  steps = {40, "steps of a burst", type = "integer", min = 1},
  pairs = {800, "pairs of bursts, old and new", type = "integer", min = 2},
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

-- Starts a worker; its burst() gives the seconds from the command to the answer.
local function start(program, network, threads, steps)
  local pipe = os.tmpname()
  os.remove(pipe)
  assert(os.execute("mkfifo " .. quote(pipe)))
  local file = program:find "^/" and program or "$PWD/" .. quote(program)
  local words = {"program=" .. file, "&& cd", quote(tree_of(program)), "&& exec \"$program\"",
                 "tests/bench/burst_worker.lua", network, threads, steps}
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
  function worker.burst()
    local from = watch.now()
    commands:write "\n"
    worker.expect "done"
    return watch.now() - from
  end
  function worker.stop()
    commands:write "stop\n" -- its end alone does not do: later workers hold the pipe open too
    commands:close()
    answers:close()
  end
  return worker
end

-- ---- statistics ----

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local n = #sorted
  return (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
end

-- The 2.5th and 97.5th percentile of the medians of 1000 samples drawn with replacement.
local function interval(list)
  local medians = {}
  for r = 1, 1000 do
    local drawn = {}
    for i = 1, #list do drawn[i] = list[math.random(#list)] end
    medians[r] = median(drawn)
  end
  table.sort(medians)
  return medians[25], medians[975]
end

local function add_ratio(list, a, b) list[#list + 1] = math.log(a / b) end

-- ---- rounds ----

local function measure(cfg, network, threads)
  local old = start(cfg.old, network, threads, cfg.steps)
  local new = start(cfg.new, network, threads, cfg.steps)
  local control = start(cfg.old, network, threads, cfg.steps)
  for _, worker in ipairs{old, new, control} do worker.expect "ready" end
  local ratios, controls, times = {}, {}, {}
  for _ = 1, (cfg.pairs + 1) // 2 do
    local o1, n1, c1 = old.burst(), new.burst(), control.burst()
    local c2, n2, o2 = control.burst(), new.burst(), old.burst()
    add_ratio(ratios, n1, o1)
    add_ratio(ratios, n2, o2)
    add_ratio(controls, c1, o1)
    add_ratio(controls, c2, o2)
    times[#times + 1] = o1
  end
  for _, worker in ipairs{old, new, control} do worker.stop() end
  return ratios, controls, median(times)
end

local function row_of(name, list)
  local low, high = interval(list)
  return {name, ("%.4f"):format(math.exp(median(list))), ("%.4f"):format(math.exp(low)),
          ("%.4f"):format(math.exp(high)), ("%d"):format(#list)}
end

local function right(title) return {title, align = "right"} end

local function run(cfg)
  bnn.assert_or_exit(cfg.old ~= "", "--old=PROGRAM: the program to compare with is missing")
  math.randomseed(1)
  for _, network in ipairs(cfg.network) do
    for _, threads in ipairs(cfg.threads) do
      local ratios, controls, took = measure(cfg, network, threads)
      print(("%s, %d thread(s), bursts of %d steps (%.1f ms)"):format(network, threads, cfg.steps,
        1e3 * took))
      print(bnn.table_text.render({row_of("new / old", ratios), row_of("old / old", controls)},
        {"", right "median", right "2.5%", right "97.5%", right "pairs"}))
    end
  end
end

if flags.wants_help(arg) then
  io.write(usage.text({about = about, defaults = defaults}, "burst", run))
else
  run(bnn.assert_or_exit(flags.parse(arg, defaults)))
end
