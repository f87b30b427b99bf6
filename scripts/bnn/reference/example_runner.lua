--- Runs the examples of help and gathers what they print.
--
-- Two processes of this program, each in an empty temporary folder and without the network, run all
-- examples one after the other, each in a child of its own with a time limit. What the two print
-- tells whether an example gives the same each time.
local core = require "bnn.core"
local example_world = require "bnn.reference.example_world"
local experiments_folder = require "bnn.reference.experiments_folder"
local strings = require "bnn.base.strings"

local M = {}

local SECONDS = 20        -- of one example
local SECONDS_ALL = 1200  -- of all of them
local LINES, BYTES = 70, 8000 -- of an output that is shown

local JOBS, RESULTS, STDOUT = "jobs.json", "results.json", ".output"

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

-- ---- in the process that runs them ----

-- What a child does.
local function run(world, job)
  assert(core.redirect("stdout", STDOUT))
  assert(core.redirect "stderr")
  local env = example_world.environment(world, job.name, print)
  local chunk = assert(load(job.code, "=example", "t", env))
  local ok, fault = pcall(chunk)
  io.stdout:flush()
  if not ok then error(tostring(fault), 0) end
end

-- Waits for the end of a child: nil, or why it failed.
local function wait_for(child)
  local last = core.ticks() + SECONDS
  repeat
    local events = core.wait_jobs({child}, math.max(0, last - core.ticks()))
    for _, event in ipairs(events) do
      if event.status == 0 then return nil end
      if event.status or event.signal then return event.error or "it ended early" end
    end
  until core.ticks() >= last
  child:kill(9)
  return ("it takes more than %d seconds"):format(SECONDS)
end

local function result_of(world, job)
  os.remove(STDOUT)
  local child, why = core.fork(function() run(world, job) end)
  local fault = why or wait_for(child)
  local folder = core.working_folder()
  local output = (read(STDOUT) or ""):gsub(folder:gsub("%p", "%%%0"), ".")
  output = output:gsub("(%a+: )0x%x+", "%10x...") -- addresses are others each time
  return {output = strings.utf8(output:sub(1, BYTES)), fault = fault and strings.shown(fault)}
end

--- Runs the examples that a file lists, and writes what came of them.
-- @param bnn table: the library
function M.serve(bnn)
  local world = example_world.new(bnn)
  example_world.make_files(world, experiments_folder.find())
  local results = {}
  for i, job in ipairs(core.json_decode(assert(read(JOBS)))) do
    results[i] = result_of(world, job)
  end
  assert(core.save_bytes(RESULTS, core.json_encode(results)))
end

-- ---- in the process that asks ----

local SERVE = ("require(%q).serve(require %q)"):format("bnn.reference.example_runner", "bnn")

local function word(text) return strings.shell_word(text) end

-- The folders that the environment names, which are to mean the same from another folder.
local function absolute_folders()
  local words = {}
  for _, name in ipairs{"BNNLUA_SCRIPTS", "BNNLUA_DATA"} do
    local value = os.getenv(name)
    local path = value and core.real_path(value)
    if path then words[#words + 1] = word(name .. "=" .. path) end
  end
  return table.concat(words, " ")
end

-- Starts a process that runs them in a new folder: {folder=, pipe=}.
local function start(jobs)
  local folder = os.tmpname()
  os.remove(folder)
  local made, why = core.make_folder(folder)
  if made == nil then return nil, why end
  local ok, fault = core.save_bytes(folder .. "/" .. JOBS, core.json_encode(jobs))
  if not ok then return nil, fault end
  local program = core.real_path "/proc/self/exe" or "bnnlua"
  local command = ("exec timeout %d env -C %s -u BNNLUA_RUNS BNNLUA_OFFLINE=1 NO_COLOR=1"
    .. " %s %s -e %s 2>&1 </dev/null"):format(SECONDS_ALL, word(folder), absolute_folders(),
    word(program), word(SERVE))
  local pipe, cause = io.popen(command)
  if not pipe then return nil, cause end
  return {folder = folder, pipe = pipe}
end

-- Waits for a process: its results; or nil, message.
local function finish(process)
  local said = process.pipe:read "a"
  local ok = process.pipe:close()
  local text = ok and read(process.folder .. "/" .. RESULTS)
  if not text then return nil, "the examples cannot run: " .. strings.shown(said, true) end
  return core.json_decode(text)
end

local function shortened(output)
  local lines = {}
  for line in output:gmatch "([^\n]*)\n?" do lines[#lines + 1] = line end
  while lines[1] and lines[#lines] == "" do lines[#lines] = nil end
  if #lines > LINES then lines[LINES + 1] = "..." end
  return table.concat(lines, "\n", 1, math.min(#lines, LINES + 1))
end

-- One result of two: what is shown.
local function merged(a, b)
  if a.fault then return {fault = a.fault} end
  return {output = shortened(a.output), differs = a.output ~= b.output or nil}
end

-- Processes whose folders go when they are no longer needed, also after an interrupt.
local REMOVED = {__close = function(processes)
  for _, process in ipairs(processes) do os.execute("rm -rf " .. word(process.folder)) end
end}

--- Runs examples.
-- @param jobs list of {name= of the entry, code=}
-- @return list, for each job {output= string, differs= true if it is another each time} or {fault=
--   string}; or nil, message
function M.run(jobs)
  local processes <close> = setmetatable({}, REMOVED)
  local all = {}
  for i = 1, 2 do
    local why
    processes[i], why = start(jobs)
    if not processes[i] then return nil, why end
  end
  for i = 1, 2 do
    local why
    all[i], why = finish(processes[i])
    if not all[i] then return nil, why end
  end
  local results = {}
  for i = 1, #jobs do results[i] = merged(all[1][i], all[2][i]) end
  return results
end

return M
