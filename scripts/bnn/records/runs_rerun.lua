--- Replays a recorded run from its own copy of the script and its command line, and compares what
-- both runs wrote, byte by byte.
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"

local M = {}

-- Flags that say where a run writes, with a value each, and those without one.
local PLACES = {checkpoint = true, log = true, tensorboard = true, runs = true, run_name = true,
                config = true, threads = true, on_finish = true}
local SWITCHES = {record = true, no_record = true, resume_anyway = true, no_resume = true}

-- The flags of a run that say where it writes.
local function places_of(about)
  local places = {}
  for name in pairs(PLACES) do places[name] = true end
  for _, name in ipairs(about.place_flags or {}) do places[name] = true end
  return places
end

local function has_flag(argv, wanted)
  for _, word in ipairs(argv) do
    if word:match "^%-%-([^=]+)" == wanted then return true end
  end
  return false
end

-- A flag of the configuration as words of a command line.
local function flag_words(name, v)
  if type(v) == "boolean" then return ("--%s%s"):format(v and "" or "no_", name) end
  return ("--%s=%s"):format(name, ledger.value_text(v))
end

-- The words of the command line that decide the result; what a run writes besides goes below
-- `runs`.
local function result_words(run, runs, threads)
  local about, words, given, i = run.about, {}, {}, 1
  local places = places_of(about)
  local argv = about.argv or {}
  while argv[i] do
    local name = argv[i]:match "^%-%-([^=]+)"
    name = name and name:gsub("-", "_")
    if name and places[name] then
      if not argv[i]:find "=" then i = i + 1 end
    elseif not (name and SWITCHES[name]) then
      words[#words + 1] = argv[i]
      if name then given[name:gsub("^no_", "")] = true end
    end
    i = i + 1
  end
  for _, name in ipairs(has_flag(argv, "config") and about.result_flags or {}) do
    local v = run.config[name]
    if v ~= nil and not given[name] then words[#words + 1] = flag_words(name, v) end
  end
  for _, name in ipairs(about.place_flags or {}) do
    if run.config[name] and not PLACES[name] then
      words[#words + 1] = ("--%s=%s/%s"):format(name, runs, name)
    end
  end
  threads = threads or run.config.threads
  if threads then words[#words + 1] = ("--threads=%d"):format(threads) end
  return words
end

-- The first line in which two texts differ.
local function first_difference(a, b)
  local line = 1
  local next_a, next_b = (a .. "\n"):gmatch "([^\n]*)\n", (b .. "\n"):gmatch "([^\n]*)\n"
  while true do
    local x, y = next_a(), next_b()
    if x ~= y then
      return ("line %d: recorded '%s', now '%s'"):format(line, strings.shown(x or "(none)"),
        strings.shown(y or "(none)"))
    end
    if x == nil then return "nothing" end
    line = line + 1
  end
end

-- Compares a file of two runs: a line to print, and whether they are equal.
local function compare(name, old, new)
  local a, b = run_folder.read(old .. "/" .. name), run_folder.read(new .. "/" .. name)
  if not a and not b then return ("%-14s neither has it"):format(name), true end
  if not a or not b then return ("%-14s only the %s has it"):format(name, a and "record"
    or "new run"), false end
  if a == b then return ("%-14s the same %d bytes"):format(name, #a), true end
  return ("%-14s differs in %s"):format(name, first_difference(a, b)), false
end

-- What is another than when the run was made, and may change bits.
local function other_machine(run)
  local now, then_ = core.versions(), run.about.machine or {}
  local lines = {}
  for _, row in ipairs(now) do
    local old = (then_.versions or {})[row.name]
    if old and old ~= row.version and row.name ~= "threads" then
      lines[#lines + 1] = ("%s was %s, is %s"):format(row.name, old, row.version)
    end
  end
  return lines
end

local function run_again(run, runs, threads)
  local path = core.real_path(run.path)
  local program, fault = core.real_path "/proc/self/exe"
  if not program then return nil, fault end
  local source = (run.about.sources or {})[1]
  for _, one in ipairs(run.about.sources or {}) do
    if not one.module then source = one end
  end
  if not source then return nil, run.id .. ": has no script" end
  local folder = run.about.machine and run.about.machine.folder or "."
  if not core.is_folder(folder) then folder = "." end
  local words = {"env", "-C", folder, "BNNLUA_RUNS=" .. runs,
                 ("LUA_PATH=%s/code/?.lua;%s"):format(path, os.getenv "LUA_PATH" or ";"),
                 program, path .. "/" .. source.file}
  local rest = result_words(run, runs, threads)
  table.move(rest, 1, #rest, #words + 1, words)
  return core.run_program(words)
end

-- The folder of the one run below a folder.
local function only_run(runs)
  local ids = run_folder.ids(runs)
  return ids and ids[1] and runs .. "/" .. ids[1]
end

--- Replays a run.
-- @param run what bnn.run.open returned
-- @param threads integer: another number of threads, or nil
-- @return list of lines to print, and whether all bytes agree; or nil, message
function M.replay(run, threads)
  if has_flag(run.about.argv or {}, "resume") then
    return nil, run.id .. ": resumed another run, so its own steps cannot be replayed alone"
  end
  if run.status == "running" then return nil, run.id .. ": is still running" end
  local runs = os.tmpname()
  os.remove(runs)
  local ok, fault = core.make_folder(runs)
  if not ok then return nil, fault end
  local _ <close> = setmetatable({}, {__close = function() run_folder.remove(runs) end})
  local done, why = run_again(run, runs, threads)
  if not done then return nil, why end
  local new = only_run(runs)
  if not new then
    return nil, strings.message("%s: the replay left no record: %s", run.id,
      done.errors:match "[^\n]*")
  end
  local lines, agree = other_machine(run), true
  for _, name in ipairs{"metrics.jsonl", "output.txt"} do
    local line, same = compare(name, run.path, new)
    lines[#lines + 1], agree = line, agree and same
  end
  local status = (run_folder.read_json(new .. "/run.json") or {}).status
  if status ~= run.status then
    lines[#lines + 1], agree = ("the run %s, the replay %s"):format(run.status, status), false
  end
  lines[#lines + 1] = agree and "the bits agree" or "the bits do not agree"
  return lines, agree
end

return M
