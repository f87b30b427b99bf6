--- Claims of runs a second by 1, 8 and 32 processes at once, each claim with its end, and the
-- longest that one took, for each store of a ledger.
--     build/bnnlua tests/bench/bench_claims.lua [--tasks=5000] [--ledger=URL ...] [FOLDER ...]
-- FOLDERs are where SQLite and files are measured (/dev/shm and /var/tmp); those that are not there
-- are skipped. PostgreSQL is measured if a URL is given.
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local ledger_place = require "bnn.records.ledger_place"
local run_folder = require "bnn.records.run_folder"
local sweep_book = require "bnn.sweep.sweep_book"

local WRITERS = {1, 8, 32}

local _, PID = core.host()
local SWEEP = ("bench %d"):format(PID) -- a server may have others

-- Takes runs until there is none; sends how many, the longest claim, and the processor's time.
local function work(root, tasks, send)
  local book <close> = sweep_book.new(root, SWEEP)
  book:join(tasks, 1)
  local n, worst, before = 0, 0, core.usage()
  while true do
    local start = core.ticks()
    local task = book:claim()
    worst = math.max(worst, core.ticks() - start)
    if not task then break end
    assert(book:finish(task, "completed"))
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

-- Takes what was measured out of a ledger that others use too.
local function clear(root, place)
  if not ledger_place.is_url(place) then return end
  local book <close> = assert(ledger.open(root, true))
  assert(book:change(function(write) write("DELETE FROM task WHERE sweep = $1", SWEEP) end))
end

local function measure(place, folder, tasks, writers)
  local root = ("%s/bnnlua_claims_%d"):format(folder, PID)
  assert(ledger_place.write(root, place))
  local book = sweep_book.new(root, SWEEP)
  book:fill(tasks, 1)
  book:close()
  local jobs, start = {}, core.ticks()
  for i = 1, writers do
    jobs[i] = assert(core.fork(function(send) work(root, tasks, send) end))
  end
  local n, worst, cpu = gather(jobs)
  local seconds = core.ticks() - start
  assert(n == tasks, "claims and tasks differ")
  clear(root, place)
  assert(run_folder.remove(root))
  local line = "%-10s %-8s %2d writers: %6.0f claims/s, the longest %.1f ms, %.0f us of a "
    .. "processor each"
  print(line:format(place:match "^%l+", ledger_place.is_url(place) and "" or folder, writers,
    n / seconds, worst * 1e3, cpu / n * 1e6))
end

local tasks, folders, urls = 5000, {}, {}
for _, word in ipairs(arg) do
  local n, url = word:match "^%-%-tasks=(%d+)$", word:match "^%-%-ledger=(.+)$"
  if n then tasks = tonumber(n) elseif url then urls[#urls + 1] = url else
    folders[#folders + 1] = word
  end
end
if #folders == 0 then folders = {"/dev/shm", "/var/tmp"} end
for _, folder in ipairs(folders) do
  for _, place in ipairs(core.is_folder(folder) and {"sqlite", "folder"} or {}) do
    for _, writers in ipairs(WRITERS) do measure(place, folder, tasks, writers) end
  end
end
for _, url in ipairs(urls) do
  for _, writers in ipairs(WRITERS) do measure(url, folders[1], tasks, writers) end
end
