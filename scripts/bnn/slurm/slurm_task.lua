--- What a task of a job array does besides making its runs: it puts itself back into the queue when
-- Slurm warns that its time is over.
local core = require "bnn.core"
local signal = require "bnn.signal"
local slurm_programs = require "bnn.slurm.slurm_programs"
local strings = require "bnn.base.strings"

local M = {}

local TRIES, PAUSE = 6, 10 -- of a warning's 90 seconds, as the controller may be busy

--- The name of the task that this program is: "ARRAY_INDEX"; or nil.
function M.name()
  local array, index = os.getenv "SLURM_ARRAY_JOB_ID", os.getenv "SLURM_ARRAY_TASK_ID"
  if array and index and (array .. index):find "^%d+$" then return array .. "_" .. index end
end

-- Whether an error is the end that Slurm asks for with --signal=B:USR2.
local function is_warning(err)
  return signal.is_interrupt(err) and err.name == "SIGUSR2"
end

local function requeue(name)
  local fault
  for i = 1, TRIES do
    local ok
    ok, fault = slurm_programs.requeue(name)
    if ok then return strings.notice(strings.message("%s is in the queue again", name)) end
    if i < TRIES then core.wait_jobs({}, PAUSE) end
  end
  strings.notice(strings.message("%s; the sweep's command submits what is left", fault))
end

--- Calls f as a worker's main function. If USR2 ends it and this program is a task of an array, the
-- task is put back into the queue: it alone, and its runs go on from their checkpoints.
function M.run(f, ...)
  local _ <close> = setmetatable({}, {__close = function(_, err)
    local name = is_warning(err) and M.name()
    if name then signal.finish(requeue, name) end
  end})
  return f(...)
end

return M
