--- What a ledger of many rows takes: its size, the plans of the statements that workers and
-- `bnnlua -m runs` ask, and how long they take.
--     build/bnnlua tests/bench/bench_stores.lua [--rows=1000000] [--url=URL] [FOLDER]
-- Fills a ledger in FOLDER (/var/tmp) with one sweep of so many tasks, half of them done, and a
-- tenth as many runs with six parameters and five metrics each; removes a file that it made, and
-- takes its rows out of a database. scripts/bnn/records/stores.md has the figures.
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local run_folder = require "bnn.records.run_folder"
local task_queue = require "bnn.records.task_queue"

local SWEEP = "bench_stores"
local options, folder = {rows = "1000000"}, "/var/tmp"
for _, word in ipairs(arg) do
  local name, value = word:match "^%-%-(%l+)=(.*)$"
  if name then options[name] = value else folder = word end
end
local ROWS = assert(math.tointeger(tonumber(options.rows)), "--rows: expected an integer")

local root = ("%s/bnnlua_stores_%d"):format(folder, select(2, core.host()))
assert(core.make_folder(root))
if options.url then assert(run_folder.write(root .. "/ledger.txt", options.url .. "\n")) end

local function say(...) print((...):format(select(2, ...))) end

-- Calls f; says what it did and how long that took.
local function time(what, f)
  local start = core.ticks()
  local result = f()
  say("%-44s %9.3f s%s", what, core.ticks() - start, result and "  " .. result or "")
end

-- The tasks; the first half of them is done.
local function fill(book)
  local trials, queue = {}, assert(task_queue.new(book))
  for first = 1, ROWS, 10000 do
    local last = math.min(ROWS, first + 9999)
    for i = first, last do trials[i - first + 1] = i end
    trials[last - first + 2] = nil
    assert(queue:add(SWEEP, trials, 1))
    assert(book:ask([[UPDATE task SET state = 2 WHERE sweep = $1 AND trial BETWEEN $2 AND $3
      RETURNING 1]], SWEEP, first, math.min(last, ROWS // 2)))
  end
end

local PARAMS = {"lr", "beta", "logvar", "steps", "batch_size", "seed"}
local METRICS = {"accuracy", "nll", "brier", "ece", "kl_divergence"}

-- The rows of one run, as a recorder writes them.
local function enter_run(write, i)
  local about = {id = ("bench-%09d"):format(i), attempt = 1, name = "mnist", host = "here", pid = i,
                 experiment = "mnist", status = "completed", seed = 1, started = "", ended = "",
                 command = "bnnlua experiments/mnist.lua --beta=0.1", wall_seconds = 60.0,
                 cpu_seconds = 60.0, peak_bytes = 1 << 27, sweep = SWEEP, trial = i, replicate = 1}
  local config, metrics = {}, {}
  for k, name in ipairs(PARAMS) do config[name] = k * 0.5 end
  for k, name in ipairs(METRICS) do
    metrics[name] = {value = 1 / (i + k), step = 10000, least = 0.0, least_step = 10000, most = 1.0,
                     most_step = 0}
  end
  ledger.enter(write, about, config, root)
  ledger.put_metrics(write, about, metrics)
  ledger.finish(write, about)
end

local function enter_runs(book, n)
  for first = 1, n, 1000 do
    assert(book:change(function(write)
      for i = first, math.min(n, first + 999) do enter_run(write, i) end
    end))
  end
end

local function size_of(book)
  if options.url then
    local rows = assert(book:ask [[SELECT sum(pg_total_relation_size(relid))
      FROM pg_catalog.pg_statio_user_tables]])
    return ("%.0f MB"):format(rows[1][1] / 1e6)
  end
  local bytes = 0
  for _, ending in ipairs{"", "-wal"} do
    local file <close> = io.open(ledger.path(root) .. ending)
    bytes = bytes + (file and file:seek "end" or 0)
  end
  return ("%.0f MB"):format(bytes / 1e6)
end

local function plan_of(book, sql, ...)
  local rows = assert(book:ask((options.url and "EXPLAIN " or "EXPLAIN QUERY PLAN ") .. sql, ...))
  for _, row in ipairs(rows) do print("    " .. row[options.url and 1 or 4]) end
end

-- The median of so many calls, in milliseconds.
local function median_ms(n, f)
  local times = {}
  for i = 1, n do
    local start = core.ticks()
    f()
    times[i] = (core.ticks() - start) * 1e3
  end
  table.sort(times)
  return times[(n + 1) // 2]
end

local QUERIES = {
  {"how many in each state", 3, "SELECT state, count(*) FROM task WHERE sweep = $1 GROUP BY state",
   SWEEP},
  {"the trials from one on", 21, "SELECT trial, replicate, state FROM task WHERE sweep = $1 "
     .. "AND trial >= $2 ORDER BY trial, replicate", SWEEP, ROWS - 99},
  {"a run's metrics", 21, "SELECT name, value FROM metric WHERE run = $1", "bench-000000500"},
  {"the best of a sweep", 3, "SELECT run.id, value FROM metric JOIN run ON run.id = metric.run "
     .. "WHERE run.sweep = $1 AND metric.name = $2 ORDER BY value DESC LIMIT 1", SWEEP, "accuracy"},
}

local function measure(book)
  local queue, worker = assert(task_queue.new(book)), task_queue.worker()
  local task
  say("claim: %.2f ms", median_ms(201, function()
    task = assert(queue:claim(SWEEP, worker))
    assert(queue:finish(task, "completed"))
  end))
  plan_of(book, task_queue.CLAIM, SWEEP, worker, 60)
  for _, query in ipairs(QUERIES) do
    say("%s: %.2f ms", query[1], median_ms(query[2], function()
      assert(book:ask(table.unpack(query, 3)))
    end))
    plan_of(book, table.unpack(query, 3))
  end
end

local function remove(book)
  if options.url then
    assert(book:change(function(write)
      write("DELETE FROM task WHERE sweep = $1", SWEEP)
      for _, name in ipairs{"param", "metric", "attempt"} do
        write(("DELETE FROM %s WHERE run LIKE 'bench-%%'"):format(name))
      end
      write("DELETE FROM run WHERE sweep = $1", SWEEP)
    end))
  end
  book:close()
  run_folder.remove(root)
end

local book = assert(ledger.open(root, true))
time(("%d tasks"):format(ROWS), function() fill(book) return size_of(book) end)
time(("%d runs"):format(ROWS // 10), function()
  enter_runs(book, ROWS // 10)
  return size_of(book)
end)
time("counted (ANALYZE)", function() assert(book:ask "ANALYZE") end)
measure(book)
remove(book)
