--- Creates folders.
local core = require "bnn.core"

local M = {}

--- Creates a folder and its missing parents.
-- @param path string
-- @param made list or nil: gets the new folders, the deepest last
-- @return true; or nil, message
function M.make(path, made)
  if core.is_folder(path) then return true end
  local above = path:match "^(.+)/[^/]*$"
  local ok, fault = true, nil
  if above then ok, fault = M.make(above, made) end
  if not ok then return nil, fault end
  ok, fault = core.make_folder(path)
  if ok == nil then return nil, fault end
  if ok and made then made[#made + 1] = path end
  return true
end

--- Creates the folder of a file that is to be written.
-- @return true; or nil, message
function M.make_above(path)
  local folder = path:match "^(.+)/[^/]*$"
  if not folder then return true end
  return M.make(folder)
end

return M
