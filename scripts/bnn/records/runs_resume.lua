--- Goes on with a run that died, failed or was interrupted, from its last checkpoint: its recorded
-- script with its recorded flags, as the run's next attempt.
local core = require "bnn.core"
local run_attempt = require "bnn.records.run_attempt"
local run_folder = require "bnn.records.run_folder"
local run_launch = require "bnn.records.run_launch"
local run_words = require "bnn.records.run_words"
local strings = require "bnn.base.strings"

local M = {}

-- The folder where a run keeps its checkpoints.
local function checkpoints_of(run)
  local given = run.config.checkpoint
  if type(given) ~= "string" then return run.path .. "/checkpoints" end
  local folder = run.about.machine and run.about.machine.folder
  return given:find "^/" and given or folder and folder .. "/" .. given or given
end

-- Whether there is a checkpoint in a folder, or in one for each network below it.
local function holds_any(folder)
  for _, name in ipairs(core.is_folder(folder) and run_folder.files(folder) or {}) do
    if name:find "%.safetensors$" then return true end
  end
  return false
end

local function check_checkpoints(run, from_start)
  local folder = checkpoints_of(run)
  local has_any = holds_any(folder)
  if has_any and from_start then
    return nil, strings.message("%s: has checkpoints in %s: resume it without --from_start", run.id,
      folder)
  elseif not has_any and not from_start then
    return nil, strings.message("%s: no checkpoint in %s: --from_start runs it again from its "
      .. "first step", run.id, folder)
  end
  return true
end

--- Resumes a run in the place of this program; returns only if it cannot.
-- @param run what bnn.run.open returned
-- @param runs string: the folder of records
-- @param from_start boolean: for a run without checkpoints, from its first step
-- @return nil, message
function M.resume(run, runs, from_start)
  if run.status == "running" then return nil, run.id .. ": is still running" end
  local ok, fault = run_attempt.check(run.path, run.about)
  if ok then ok, fault = check_checkpoints(run, from_start) end
  if not ok then return nil, fault end
  local root, why = core.real_path(runs)
  if not root then return nil, why end
  local flags = run_words.of_config(run.config)
  table.insert(flags, 1, "--resume_run=" .. run.id)
  local words, lack = run_launch.words(run, root, flags)
  if not words then return nil, lack end
  return core.exec_program(words)
end

return M
