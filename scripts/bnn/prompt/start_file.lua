--- The user's start-up file, which the prompt on a terminal runs first, and nothing else does.
local M = {}

--- Its path: $XDG_CONFIG_HOME/bnnlua/init.lua, else in ~/.config; nil if there is no home folder.
function M.path()
  local config, home = os.getenv "XDG_CONFIG_HOME", os.getenv "HOME"
  if config and config:find "^/" then return config .. "/bnnlua/init.lua" end
  return home and home ~= "" and home .. "/.config/bnnlua/init.lua" or nil
end

--- Runs it if it is there. Errors of it are raised.
function M.run()
  local path = M.path()
  local file = path and io.open(path, "r")
  if not file then return end
  file:close()
  local chunk, message = loadfile(path, "t")
  if not chunk then error(message, 0) end
  chunk()
end

return M
