--- The flags --log and --tensorboard, which every experiment has.
local configuration = require "bnn.base.configuration"
local logs = require "bnn.log.log"
local refusal = require "bnn.base.refusal"

local M = {}

--- The entries of an experiment's defaults.
M.entries = {
  log = {nil, "write the metrics to this file as well: NAME.csv (step,name,value) or NAME.jsonl; "
           .. "a resumed run appends", type = "string",
         result = false},
  tensorboard = {nil, "write the metrics to this folder as well, for TensorBoard",
                 type = "string", result = false},
}

-- An object whose closing closes the logs.
local function closing(list)
  return setmetatable({}, {__close = function()
    for _, log in ipairs(list) do log:close() end
  end})
end

--- Runs an experiment with a log that writes what its flags say as well; ends the program, with one
-- line, if a file cannot be made.
-- @param experiment table
-- @param cfg its complete configuration
-- @param log a log
-- @param run function(cfg, log)
-- @return what run returns
function M.run(experiment, cfg, log, run)
  local list = {}
  local function is_ours(name)
    return experiment.defaults[name] == M.entries[name] and cfg[name]
  end
  local _ <close> = closing(list)
  if is_ours "log" then
    list[1] = refusal.assert_or_exit(logs.file(cfg.log, {append = cfg.resume == true}))
  end
  if is_ours "tensorboard" then
    list[#list + 1] = refusal.assert_or_exit(logs.tensorboard(cfg.tensorboard,
      {config = configuration.resulting(cfg)}))
  end
  if not list[1] then return run(cfg, log) end
  return table.unpack(table.pack(run(cfg, logs.tee{log, table.unpack(list)})))
end

return M
