--- For tests of sweeps: sweeps of functions in folders that are gone at the end, what they say, and
-- how often each run was begun.
local bnn = require "bnn"
local core = require "bnn.core"
local folder_book = require "bnn.sweep.books.folder_book"
local ledger_place = require "bnn.records.ledger_place"
local recorded = require "recorded_runs"
local sql_book = require "bnn.sweep.books.sql_book"
local strings = require "bnn.base.strings"

local M = {}

local place = "sqlite" -- of the ledgers of new folders

--- A folder of runs that is there while `use` runs.
function M.in_folder(use)
  recorded.in_folder(function(root)
    if place ~= "sqlite" then assert(ledger_place.write(root, place)) end
    use(root)
  end)
end

--- Runs the tests of a class in folders of runs without a ledger too.
-- @param name string: the global name of the class
function M.in_both_stores(name)
  local suite = _G[name]
  local copy = {setUp = function() place = "folder" end, tearDown = function() place = "sqlite" end}
  for key, test in pairs(suite) do copy[key] = test end
  _G[name .. "InFiles"] = copy
end

--- A function of a sweep whose loss is least at x = 2 and differs between seeds.
function M.parabola(cfg) return {loss = (cfg.x - 2) ^ 2 + cfg.seed / 100} end

--- Sweeps M.parabola, or what opts say, below `root`.
-- @return result, list of what was said on stderr
function M.sweep(root, opts)
  local all, said = {experiment = M.parabola, space = {x = {1, 2, 3}}, objective = "loss",
                     mode = "min", runs = root, progress = false, workers = 2}, {}
  for name, v in pairs(opts or {}) do all[name] = v or nil end
  local notice = strings.notice
  function strings.notice(text) said[#said + 1] = text end
  local ok, result = pcall(bnn.sweep, all)
  strings.notice = notice
  if not ok then error(result, 0) end
  return result, said
end

--- The message of the error that a sweep ends with.
function M.fault_of(root, opts)
  local ok, fault = pcall(M.sweep, root, opts)
  assert(not ok, "no error")
  return tostring(fault)
end

--- The trials as text, bit for bit: number, state, parameters, value, and those of the seeds.
function M.text_of(result)
  local lines = {}
  for i, trial in ipairs(result.list) do
    local words = {("%d %s"):format(trial.number, trial.state)}
    for _, name in ipairs(result.plan.names) do
      words[#words + 1] = ("%s=%q"):format(name, trial.config[name])
    end
    words[#words + 1] = ("%q"):format(trial.value)
    for _, row in ipairs(trial.seeds) do
      words[#words + 1] = ("seed %d: %q"):format(row.seed, row.value)
    end
    lines[i] = table.concat(words, " ")
  end
  return table.concat(lines, "\n")
end

--- The metatable of the books of sweeps.
function M.book_class()
  return getmetatable((place == "folder" and folder_book or sql_book).new("", ""))
end

--- Says in a file below `root` that a run begins.
function M.note(root, word)
  local file <close> = assert(io.open(root .. "/noted", "ab"))
  file:setvbuf "full"
  file:write(word, "\n")
end

--- How often each word was noted.
function M.noted(root)
  local counts = {}
  local file <close> = io.open(root .. "/noted")
  for line in file and file:lines() or function() end do counts[line] = (counts[line] or 0) + 1 end
  return counts
end

--- Ends this process as the system does when memory is short.
function M.die()
  local _, pid = core.host()
  os.execute(("kill -KILL %d"):format(pid))
end

--- A function that sleeps until it is interrupted.
function M.sleep() core.run_program{"sleep", "60"} end

--- Waits until f() is true, for up to ten seconds.
function M.wait_for(f)
  for _ = 1, 1000 do
    if f() then return end
    core.wait_jobs({}, 0.01)
  end
  error "it does not happen"
end

return M
