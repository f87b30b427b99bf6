--- Configurations that experiments were run with, and what of one decides the result.
local M = {}

-- The defaults of the experiment that a configuration was made for, and its old names of flags.
local defaults_of = setmetatable({}, {__mode = "k"})
local renamed_of = setmetatable({}, {__mode = "k"})

--- Notes the experiment that a configuration was completed for.
function M.remember(cfg, experiment)
  defaults_of[cfg], renamed_of[cfg] = experiment.defaults, experiment.renamed
end

--- What of a configuration decides the result: all but the flags that say result=false.
-- @param cfg table: what an experiment's run gets
-- @return table: a copy without those
function M.resulting(cfg)
  local defaults, copy = defaults_of[cfg] or {}, {}
  for name, value in pairs(cfg) do
    local flag = defaults[name]
    if not (type(flag) == "table" and flag.result == false) then copy[name] = value end
  end
  renamed_of[copy] = renamed_of[cfg]
  return copy
end

--- A configuration that was stored by an earlier version, with the names that its flags have now.
-- @param stored table: as a checkpoint holds it
-- @param cfg table: what the same experiment's run got, or `resulting` of it
function M.with_new_names(stored, cfg)
  local renamed, copy = renamed_of[cfg] or {}, {}
  for name, value in pairs(stored) do
    local new = renamed[name]
    copy[new and stored[new] == nil and new or name] = value
  end
  return copy
end

return M
