--- The batch scripts of a sweep's job arrays. Each task of an array becomes this program, which
-- claims runs of the sweep where its ledger is: which task makes which run is not decided before.
--
-- The program takes the place of the shell, as Slurm signals the batch script's own process.
local core = require "bnn.core"
local loader = require "bnn.loader"
local slurm_options = require "bnn.slurm.slurm_options"
local strings = require "bnn.base.strings"

local M = {}

-- What of the environment a run depends on, for clusters that do not pass all of it on. Passwords
-- are not among it.
local PASSED = {
  "BNNLUA_DATA", "BNNLUA_OFFLINE", "BNNLUA_ISA", "BNNLUA_THREADS", "BNNLUA_SCRIPTS",
  "LUA_INIT_5_4", "LUA_INIT", "LUA_PATH_5_4", "LUA_PATH", "LUA_CPATH_5_4", "LUA_CPATH",
  "OPENBLAS_CORETYPE", "XDG_CACHE_HOME", "XDG_DATA_DIRS", "LD_LIBRARY_PATH",
}

-- In names of files Slurm replaces % and what follows.
local function output_path(folder) return folder:gsub("%%", "%%%%") .. "/slurm-%A_%a.out" end

local function add_environment(lines)
  lines[#lines + 1] = "export OPENBLAS_NUM_THREADS=1"
  for _, name in ipairs(PASSED) do
    local value = os.getenv(name)
    if value then lines[#lines + 1] = ("export %s=%s"):format(name, strings.shell_word(value)) end
  end
end

--- The command of a task.
-- @param opts table: root, an absolute path; sweep, its name; per_task, how many runs it makes
function M.command(opts)
  local words = {assert(loader.program()), "-m", "sweep", "--worker=" .. opts.root,
                 "--name=" .. opts.sweep, ("--count=%d"):format(opts.per_task)}
  for i, word in ipairs(words) do words[i] = strings.shell_word(word) end
  return table.concat(words, " ")
end

--- The indices of an array: "0-11%2".
-- @param array table: count, and throttle, how many run at a time (0: no limit)
function M.indices(array)
  local throttle = array.throttle > 0 and ("%%%d"):format(array.throttle) or ""
  return ("0-%d%s"):format(array.count - 1, throttle)
end

--- The script of an array.
-- @param array table: name, count, throttle
-- @param opts table: as M.command takes it, and options, as slurm_options.read gives them
function M.text(array, opts)
  local folder = ("%s/sweeps/%s"):format(opts.root, opts.sweep)
  local lines = {
    "--job-name=" .. array.name, "--array=" .. M.indices(array), "--signal=B:USR2@90",
    "--requeue", "--open-mode=append", slurm_options.quoted("--chdir=" .. core.working_folder()),
    slurm_options.quoted("--output=" .. output_path(folder)), table.unpack(opts.options),
  }
  for i, line in ipairs(lines) do lines[i] = "#SBATCH " .. line end
  table.insert(lines, 1, "#!/bin/bash")
  add_environment(lines)
  lines[#lines + 1] = "exec " .. M.command(opts)
  return table.concat(lines, "\n") .. "\n"
end

--- Divides tasks into arrays.
-- @param runs integer: to be made
-- @param opts table: per_task, runs of each task; throttle, how many tasks run at a time (0: no
--   limit), which the arrays share; largest, tasks of an array
-- @return list of {count=, throttle=}, and how many runs each task makes: more than per_task if
--   there would be more arrays than tasks that may run
function M.arrays(runs, opts)
  local throttle, per_task = opts.throttle, opts.per_task
  if throttle > 0 then
    per_task = math.max(per_task, -(-runs // (opts.largest * throttle)))
  end
  local left, arrays = -(-runs // per_task), {}
  local n = -(-left // opts.largest)
  for i = 1, n do
    local count = left // (n - i + 1)
    left = left - count
    arrays[i] = {count = count, throttle = throttle // n + (i <= throttle % n and 1 or 0)}
  end
  return arrays, per_task
end

return M
