--- Configurations that experiments were run with, and what of one decides the result.
local M = {}

-- The defaults of the experiment that a configuration was made for.
local defaults_of = setmetatable({}, {__mode = "k"})

--- Notes the defaults that a configuration was completed with.
function M.remember(cfg, defaults) defaults_of[cfg] = defaults end

--- What of a configuration decides the result: all but the flags that say result=false.
-- @param cfg table: what an experiment's run gets
-- @return table: a copy without those
function M.resulting(cfg)
  local defaults, copy = defaults_of[cfg] or {}, {}
  for name, value in pairs(cfg) do
    local flag = defaults[name]
    if not (type(flag) == "table" and flag.result == false) then copy[name] = value end
  end
  return copy
end

return M
