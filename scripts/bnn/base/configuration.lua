--- Configurations of experiments, and which of their values decide the result.
local M = {}

-- The defaults of the experiment that a configuration was made for, and its old names of flags.
local defaults_of = setmetatable({}, {__mode = "k"})
local renamed_of = setmetatable({}, {__mode = "k"})

--- Stores the experiment that a configuration was completed for.
function M.remember(cfg, experiment)
  defaults_of[cfg], renamed_of[cfg] = experiment.defaults, experiment.renamed
end

--- Copies the values of a configuration that decide the result: all but flags with result=false.
-- @param cfg table: the argument of an experiment's run
-- @return table: a copy without those flags
function M.resulting(cfg)
  local defaults, copy = defaults_of[cfg] or {}, {}
  for name, value in pairs(cfg) do
    local flag = defaults[name]
    if not (type(flag) == "table" and flag.result == false) then copy[name] = value end
  end
  renamed_of[copy] = renamed_of[cfg]
  return copy
end

--- Renames the flags of a configuration that an earlier version stored to their current names.
-- @param stored table: as a checkpoint holds it
-- @param cfg table: the configuration of the same experiment's run, or `resulting` of it
function M.with_new_names(stored, cfg)
  local renamed, copy = renamed_of[cfg] or {}, {}
  for name, value in pairs(stored) do
    local new = renamed[name]
    copy[new and stored[new] == nil and new or name] = value
  end
  return copy
end

return M
