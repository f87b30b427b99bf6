--- The command of --on_finish, which runs when an experiment has ended, however it did.
--
-- It gets BNNLUA_STATUS (completed, failed or interrupted), BNNLUA_EXIT_CODE, and BNNLUA_METRICS,
-- what the experiment returned as JSON. Its output goes to stderr.
local fail = require "bnn.base.fail"
local core = require "bnn.core"
local json_codec = require "bnn.base.json_codec"
local options = require "bnn.base.options"
local refusal = require "bnn.base.refusal"
local signal = require "bnn.signal"
local strings = require "bnn.base.strings"

local M = {}

--- The entry of an experiment's defaults.
M.entry = {nil, "shell command to run at the end, with BNNLUA_STATUS (completed, failed, "
             .. "interrupted), BNNLUA_EXIT_CODE and BNNLUA_METRICS (JSON)",
           type = "string", result = false}

-- Metrics as JSON; what JSON has no word for is left out.
local function metrics_json(metrics)
  local tree = {}
  for _, name in ipairs(options.sorted_names(type(metrics) == "table" and metrics or {})) do
    local value = metrics[name]
    if type(value) == "userdata" then
      local is_number, number = fail.try(function() return value:item() end)
      value = is_number and number or nil
    end
    tree[name] = json_codec.encode(value, name)
  end
  return next(tree) and core.json_encode(tree) or "{}"
end

-- The status of an error that ends an experiment (nil: none), and the exit code.
local function status_of(err)
  if err == nil and not refusal.is_late() then return "completed", 0 end
  if signal.is_interrupt(err or false) then
    return "interrupted", 128 + (math.tointeger(err.signal) or 2)
  end
  return "failed", signal.is_refusal(err or false) and math.tointeger(err.status) or 1
end

local function quoted(text) return "'" .. text:gsub("%z", ""):gsub("'", "'\\''") .. "'" end

local function run_command(command, err, metrics)
  local status, code = status_of(err)
  io.stdout:flush()
  local ok, how, number = os.execute(
    ("BNNLUA_STATUS=%s BNNLUA_EXIT_CODE=%d BNNLUA_METRICS=%s sh -c %s 1>&2"):format(status, code,
      quoted(metrics_json(metrics)), quoted(command)))
  if ok then return end
  strings.notice(strings.message("WARNING: --on_finish: %s %s: %s",
    how == "exit" and "exit status" or "signal", tostring(number), command))
end

--- Calls f and then runs a command, whether f returns or raises.
-- @param command string, or nil: none
-- @return what f returns, metrics first
function M.run(command, f)
  if not command then return f() end
  local metrics
  local _ <close> = setmetatable({}, {__close = function(_, err)
    signal.finish(run_command, command, err, metrics)
  end})
  local results = table.pack(f())
  metrics = results[1]
  return table.unpack(results, 1, results.n)
end

return M
