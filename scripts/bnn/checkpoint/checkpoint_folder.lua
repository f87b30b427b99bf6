--- The folder of a training's checkpoints: step_00001000.safetensors, ... and best.safetensors.
local core = require "bnn.core"

local M = {}

--- The file of the best step.
M.BEST = "best.safetensors"

--- The file of a step.
function M.step_name(step) return ("step_%08d.safetensors"):format(step) end

--- What a folder has: steps of its checkpoints in order, whether there is a best one, and what
-- writers that were killed have left behind.
function M.look_into(folder)
  local steps, has_best, remains = {}, false, {}
  for name in pairs(core.is_folder(folder) and core.list_dir(folder) or {}) do
    local step = math.tointeger(tonumber(name:match "^step_(%d+)%.safetensors$"))
    if step and name == M.step_name(step) then steps[#steps + 1] = step end
    has_best = has_best or name == M.BEST
    local whose = name:match "^(.+%.safetensors)%.%d+%-%x+%.part$"
    if whose and (whose == M.BEST or whose:find "^step_%d+%.") then remains[#remains + 1] = name end
  end
  table.sort(steps)
  return steps, has_best, remains
end

--- The files that a path stands for: of a folder its best and its newest, where there are such;
-- else the path itself.
-- @return list of paths; or nil, message when a folder has neither
function M.paths(path)
  if not core.is_folder(path) then return {path} end
  local steps, has_best = M.look_into(path)
  local names = {has_best and M.BEST or nil}
  if steps[1] then names[#names + 1] = M.step_name(steps[#steps]) end
  if not names[1] then return nil, path .. ": holds no checkpoints" end
  local folder = path:gsub("(.)/+$", "%1")
  for i, name in ipairs(names) do names[i] = folder .. "/" .. name end
  return names
end

return M
