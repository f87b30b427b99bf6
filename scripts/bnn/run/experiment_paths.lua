--- Where experiments are looked for by name: a module, the folder experiments here, and those that
-- came with the program: beside its build folder, and where it is installed.
local core = require "bnn.core"

local M = {}

-- The folders of experiments; those of the program follow from where it is.
local function folders()
  local program = core.real_path "/proc/self/exe"
  local above = program and program:match "^(.*)/[^/]+/[^/]+$"
  if not above then return {"experiments"} end
  return {"experiments", above .. "/experiments", above .. "/share/bnnlua/experiments"}
end

--- Finds the file of an experiment.
-- @param name string, such as "mnist"
-- @return path; or nil, the folders that were searched, as text
function M.find(name)
  local list = folders()
  for _, folder in ipairs(list) do
    local path = ("%s/%s.lua"):format(folder, name)
    local file = io.open(path)
    if file then
      file:close()
      return path
    end
  end
  return nil, table.concat(list, ", ")
end

return M
