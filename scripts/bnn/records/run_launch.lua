--- Runs the recorded script of a run: its copy in the run's folder, with the modules that were
-- copied beside it, in the folder where it ran.
local core = require "bnn.core"
local strings = require "bnn.base.strings"

local M = {}

-- The script's copy, as run.json has it.
local function script_of(about)
  for _, source in ipairs(about.sources or {}) do
    if not source.module then return source.file end
  end
end

--- The words of a command that runs the script of a run.
-- @param run what bnn.run.open returned
-- @param runs string: the folder of records that the command uses
-- @param flags list: the words after the script
-- @return list; or nil, message
function M.words(run, runs, flags)
  if run.about.is_within then
    return nil, strings.message("%s: its experiment is within %s: run that script again, which "
      .. "goes on with the sweep '%s'", run.id, run.about.script or "a script", run.about.sweep)
  end
  local program, fault = core.real_path "/proc/self/exe"
  if not program then return nil, fault end
  local file = script_of(run.about)
  if not file then return nil, run.id .. ": has no script" end
  local path = core.real_path(run.path)
  local folder = run.about.machine and run.about.machine.folder or "."
  if not core.is_folder(folder) then folder = "." end
  local words = {"env", "-C", folder, "BNNLUA_RUNS=" .. runs,
                 ("LUA_PATH=%s/code/?.lua;%s"):format(path, os.getenv "LUA_PATH" or ";"),
                 program, path .. "/" .. file}
  return table.move(flags, 1, #flags, #words + 1, words)
end

return M
