--- What the run of an experiment gives: its metrics, through which all that it made can be reached.
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

-- What the artefacts hold by name: themselves, and the parts of their model.
local function held(artefacts)
  local all, model = {}, rawget(artefacts, "model")
  if type(model) == "table" then
    if kinds.is_object(model, "objective") then all.objective = model end
    for _, name in ipairs{"net", "posterior", "params"} do all[name] = model[name] end
  end
  for name, value in pairs(artefacts) do all[name] = value end
  return all
end

local function text(metrics, all)
  local parts = {}
  for i, name in ipairs(options.sorted_names(metrics)) do
    parts[i] = ("%s = %s"):format(name, number.text(metrics[name]))
  end
  return strings.message("result: %s; holds %s", table.concat(parts, ", "),
    table.concat(options.sorted_names(all), ", "))
end

--- Lets the artefacts be read as fields of the metrics, of which they are no part: pairs gives the
-- metrics alone.
-- @param metrics, artefacts, ... what an experiment's run returned
-- @return the same
function M.join(metrics, artefacts, ...)
  local is_plain = type(metrics) == "table" and not getmetatable(metrics)
  if is_plain and type(artefacts) == "table" then
    local all = held(artefacts)
    setmetatable(metrics, {
      __name = "bnn.experiment_result", __index = all, is_plain = true,
      __tostring = function(self) return text(self, all) end,
    })
  end
  return metrics, artefacts, ...
end

return M
