--- Claims of tasks a second by 1, 8 and 32 processes at once, each claim with its finish, and the
-- longest that one took.
--     build/bnnlua tests/bench/bench_claims.lua [--tasks=20000] [FOLDER ...]
-- FOLDERs are where the ledgers are made (/dev/shm and /var/tmp); those that are not there are
-- skipped.
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local task_queue = require "bnn.records.task_queue"

local SWEEP, WRITERS = "bench", {1, 8, 32}

-- Takes tasks until there is none; sends how many, the longest claim, and the processor's time.
local function work(root, send)
  local book = assert(ledger.open(root, true))
  local queue = assert(task_queue.new(book))
  local worker, n, worst, before = task_queue.worker(), 0, 0, core.usage()
  while true do
    local start = core.ticks()
    local task, fault = queue:claim(SWEEP, worker)
    worst = math.max(worst, core.ticks() - start)
    if not task then assert(fault == nil, fault) break end
    assert(queue:finish(task, "completed"))
    n = n + 1
  end
  send(("%d %.6f %.6f"):format(n, worst, core.usage() - before))
end

-- The tasks of all children, their longest claim, and their processor's time.
local function gather(jobs)
  local n, worst, cpu, ends = 0, 0, 0, 0
  while ends < #jobs do
    for _, event in ipairs(core.wait_jobs(jobs)) do
      if event.message then
        local own, longest, used = event.message:match "(%d+) (%S+) (%S+)"
        n, cpu = n + math.tointeger(own), cpu + tonumber(used)
        worst = math.max(worst, tonumber(longest))
      else
        assert(event.status == 0, event.error or "a worker was killed")
        ends = ends + 1
      end
    end
  end
  return n, worst, cpu
end

local function measure(folder, tasks, writers)
  local root = ("%s/bnnlua_claims_%d"):format(folder, select(2, core.host()))
  assert(core.make_folder(root))
  local book = assert(ledger.open(root, true))
  local trials = {}
  for i = 1, tasks do trials[i] = i end
  assert(task_queue.new(book):add(SWEEP, trials, 1) == tasks)
  book:close()
  local jobs, start = {}, core.ticks()
  for i = 1, writers do
    jobs[i] = assert(core.fork(function(send) work(root, send) end))
  end
  local n, worst, cpu = gather(jobs)
  local seconds = core.ticks() - start
  assert(n == tasks, "claims and tasks differ")
  for _, ending in ipairs{"", "-wal", "-shm"} do os.remove(ledger.path(root) .. ending) end
  os.remove(root)
  local line = "%-12s %2d writers: %6.0f claims/s, the longest %.1f ms, %.0f us of a processor each"
  print(line:format(folder, writers, n / seconds, worst * 1e3, cpu / n * 1e6))
end

local tasks, folders = 20000, {}
for _, word in ipairs(arg) do
  local n = word:match "^%-%-tasks=(%d+)$"
  if n then tasks = tonumber(n) else folders[#folders + 1] = word end
end
if #folders == 0 then folders = {"/dev/shm", "/var/tmp"} end
for _, folder in ipairs(folders) do
  for _, writers in ipairs(core.is_folder(folder) and WRITERS or {}) do
    measure(folder, tasks, writers)
  end
end
