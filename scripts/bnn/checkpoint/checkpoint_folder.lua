--- The folder of a training's checkpoints: step_00001000.safetensors, ... and best.safetensors.
local core = require "bnn.core"

local M = {}

local BEST = "best.safetensors"

local function step_name(step) return ("step_%08d.safetensors"):format(step) end

--- Returns the path of a step's checkpoint.
function M.step_path(folder, step) return folder .. "/" .. step_name(step) end

--- Returns the path of the best checkpoint.
function M.best_path(folder) return folder .. "/" .. BEST end

local temporary = {}

--- Says that the checkpoints of a folder will be removed when their run has ended.
function M.set_temporary(folder) temporary[folder] = true end

--- Whether a folder's checkpoints will be removed when their run has ended.
function M.is_temporary(folder) return temporary[folder] == true end

--- Lists a folder.
-- @return list of the steps of its checkpoints, in order; whether it has a best one; list of the
--   names of temporary files left by killed writers
function M.list(folder)
  local steps, has_best, remains = {}, false, {}
  for name in pairs(core.is_folder(folder) and core.list_dir(folder) or {}) do
    local step = math.tointeger(tonumber(name:match "^step_(%d+)%.safetensors$"))
    if step and name == step_name(step) then steps[#steps + 1] = step end
    has_best = has_best or name == BEST
    local whose = name:match "^(.+%.safetensors)%.%d+%-%x+%.part$"
    if whose and (whose == BEST or whose:find "^step_%d+%.") then remains[#remains + 1] = name end
  end
  table.sort(steps)
  return steps, has_best, remains
end

--- Returns the files that a path means: for a folder its best and its newest checkpoint, if any;
-- else the path itself.
-- @return list of paths; or nil, message if a folder has neither
function M.paths(path)
  if not core.is_folder(path) then return {path} end
  local steps, has_best = M.list(path)
  local names = {has_best and BEST or nil}
  if steps[1] then names[#names + 1] = step_name(steps[#steps]) end
  if not names[1] then return nil, path .. ": no checkpoints found" end
  local folder = path:gsub("(.)/+$", "%1")
  for i, name in ipairs(names) do names[i] = folder .. "/" .. name end
  return names
end

--- Locks the folder of a file, or if the file is a link, the folder of its target.
-- @return the lock; or nil, message
function M.lock_of(path)
  local real, fault = core.real_path(path)
  if not real then return nil, fault end
  return core.lock_folder(real:match "^(.+)/" or "/")
end

--- Returns the file of the folder that best.safetensors links to, such as that of a step; nil if it
-- is not such a link.
function M.linked_best(folder)
  local real, best = core.real_path(folder), core.real_path(M.best_path(folder))
  if not real or not best or best:match "^(.*)/" ~= real then return nil end
  return best ~= real .. "/" .. BEST and best or nil
end

--- Removes the oldest checkpoints until `keep` are left, but not the one that best.safetensors
-- links to.
-- @param steps list of the steps in order, from which removed ones are removed too
function M.prune(folder, steps, keep)
  local best = M.linked_best(folder)
  while #steps > keep do
    local path = M.step_path(folder, steps[1])
    if not best or core.real_path(path) ~= best then os.remove(path) end
    table.remove(steps, 1)
  end
end

return M
