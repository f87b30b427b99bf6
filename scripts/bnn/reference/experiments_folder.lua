--- Finds the folder of the experiments that come with the program.
local core = require "bnn.core"

local M = {}

-- Below the folder of the program: of a build, of an installation.
local PLACES = {"%s/../experiments", "%s/../share/bnnlua/experiments"}

--- The folder, or nil.
-- @return string
function M.find()
  local program = core.real_path "/proc/self/exe" or ""
  local folder = program:match "^(.*)/[^/]*$"
  for _, place in ipairs(folder and PLACES or {}) do
    local path = core.real_path(place:format(folder))
    if path and core.is_folder(path) then return path end
  end
end

return M
