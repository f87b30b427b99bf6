--- Slurm's programs: sbatch, squeue, scontrol, scancel, sacct. Each is called without a shell and
-- has a deadline; a controller that does not answer holds them for 9 s or more.
--
-- Jobs are known by their names: Slurm gives the id of a job out again when it has lost its state.
local core = require "bnn.core"
local strings = require "bnn.base.strings"

local M = {}

local ASK_SECONDS = 60     -- to list, cancel or requeue
local SUBMIT_SECONDS = 180 -- for a busy controller; sbatch itself retries

-- What a program said is wrong, as one line.
local function complaint(done)
  local text = (done.errors .. "\n" .. done.output):gsub("^%s+", ""):gsub("%s+$", "")
  if text == "" then
    text = done.signal and "killed by signal " .. done.signal or "status " .. done.status
  end
  return (text:gsub("%s*\n%s*", "; "))
end

-- What a program prints; or nil, message.
local function call(words, input, seconds)
  local done, fault, cause = core.run_program(words, input or "", seconds or ASK_SECONDS)
  if cause == "missing" then
    return nil, strings.message("%s: not found: this machine has no Slurm", words[1])
  end
  if not done then return nil, fault end
  if done.status == 0 then return done.output end
  return nil, strings.message("%s: %s", words[1], complaint(done))
end

--- The version of Slurm that is here; or nil, message. The controller is not asked.
function M.version() return call{"sbatch", "--version"} end

--- Submits a script.
-- @param name string: of the job. It is given here too, where nothing in the environment beats it
-- @param array string: the indices, such as "0-11%2"
-- @return the id of the job array, a string; or nil, message: it may have been submitted
function M.submit(name, array, script)
  local words = {"sbatch", "--parsable", "--job-name=" .. name, "--array=" .. array}
  local output, fault = call(words, script, SUBMIT_SECONDS)
  if not output then return nil, fault end
  local id = output:match "^%s*(%d+)"
  if id then return id end
  return nil, strings.message("sbatch: expected the id of a job, got '%s'", output)
end

-- The states of a job that has ended. All others are of one that is there.
local ENDED = {}
for name in ([[BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED
  REVOKED TIMEOUT]]):gmatch "%S+" do ENDED[name] = true end

-- A line of squeue: name, array, index, state, reason.
local TASK = "([^|\n]+)|(%d+)|([^|\n]*)|(%a[^|\n]*)|([^\n]*)"

local RUNS = {RUNNING = true, CONFIGURING = true, SUSPENDED = true, STOPPED = true,
              SIGNALING = true}

-- What a state means: "pending", "running", "ending" or "ended".
local function phase_of(state)
  if ENDED[state] then return "ended" end
  if state == "COMPLETING" then return "ending" end
  return RUNS[state] and "running" or "pending"
end

--- Lists the tasks of arrays; of those that have ended, the ones that the controller still knows.
-- @param names list of strings: of jobs
-- @return list of {name=, job=, index=, state=, phase="pending"|"running"|"ending"|"ended",
--   reason=}; or nil, message
function M.tasks(names)
  if not names[1] then return {} end
  local output, fault = call{"squeue", "--noheader", "--array", "--states=all",
                             "--name=" .. table.concat(names, ","), "--format=%j|%F|%K|%T|%r"}
  if not output then return nil, fault end
  local tasks = {}
  for name, job, index, state, reason in output:gmatch(TASK) do
    tasks[#tasks + 1] = {name = name, job = job, index = index, state = state,
                         phase = phase_of(state), reason = reason}
  end
  return tasks
end

--- Looks for a job in the accounts, which few private clusters keep.
-- @return its id; or nil
function M.accounted(name)
  local output = call{"sacct", "--noheader", "--allocations", "--parsable2", "--format=JobID",
                      "--starttime=now-30days", "--name=" .. name}
  return output and output:match "^(%d+)"
end

local DEFAULT_ARRAY = 1001 -- Slurm's own MaxArraySize

--- The largest number of tasks in an array.
-- @return integer; or Slurm's default and a message
function M.largest_array()
  local output, fault = call{"scontrol", "show", "config"}
  local largest = output and math.tointeger(output:match "MaxArraySize%s*=%s*(%d+)")
  if largest and largest > 0 then return largest end
  return DEFAULT_ARRAY, fault or "scontrol: no MaxArraySize: the cluster has no job arrays"
end

--- Cancels the jobs of a name.
-- @param state string: those in this state alone, such as "PENDING"; nil: all
-- @return true; or nil, message
function M.cancel(name, state)
  local output, fault = call{"scancel", "--name=" .. name, state and "--state=" .. state}
  return output and true, fault
end

--- Puts one task of an array back into the queue. Called by the task itself, it gets a SIGTERM.
-- @param task string: "ARRAY_INDEX"
-- @return true; or nil, message
function M.requeue(task)
  local output, fault = call{"scontrol", "requeue", task}
  return output and true, fault
end

return M
