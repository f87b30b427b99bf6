--- Where data sets are looked for: $BNNLUA_DATA, the system's data folders, the user's cache.
--
-- The system's are datasets/NAME, which Debian's dataset-fashion-mnist fills, in each folder of
-- $XDG_DATA_DIRS (/usr/local/share:/usr/share if it is not set). The cache is
-- $XDG_CACHE_HOME/bnnlua, else ~/.cache/bnnlua.
local M = {}

local function setting(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

--- Whether $BNNLUA_OFFLINE forbids the network: any value but 0 does.
function M.is_offline()
  local value = setting "BNNLUA_OFFLINE"
  return value ~= nil and value ~= "0"
end

--- The base URLs in $BNNLUA_MIRRORS, separated by spaces or commas, or nil.
function M.mirrors()
  local urls = {}
  for url in (setting "BNNLUA_MIRRORS" or ""):gmatch "[^%s,]+" do urls[#urls + 1] = url end
  return urls[1] and urls
end

--- The folder of downloads, or nil and why there is none.
function M.cache()
  local base, home = setting "XDG_CACHE_HOME", setting "HOME"
  if base and base:find "^/" then return base:gsub("(.)/+$", "%1") .. "/bnnlua" end
  if home then return home:gsub("(.)/+$", "%1") .. "/.cache/bnnlua" end
  return nil, "there is no cache folder: neither XDG_CACHE_HOME (an absolute path) nor HOME is set"
end

-- What torchvision calls the folder of a set, in which the files lie in raw/.
local function torchvision_name(name)
  local own = {mnist = "MNIST", ["fashion-mnist"] = "FashionMNIST", kmnist = "KMNIST",
               qmnist = "QMNIST"}
  return own[name] or name:find "^emnist" and "EMNIST" or nil
end

--- Folders in which a set may lie below `dir`: in one of its name, in torchvision's, which `dir`
-- may be, or in `dir` itself, the last; without a name only there.
function M.below(name, dir)
  dir = dir:gsub("(.)/+$", "%1")
  local folders, other = {}, name and torchvision_name(name)
  if name then folders[1] = dir .. "/" .. name end
  if other then
    local is_own = ("/" .. dir):sub(-#other - 1) == "/" .. other
    folders[2] = is_own and dir .. "/raw" or ("%s/%s/raw"):format(dir, other)
  end
  folders[#folders + 1] = dir
  return folders
end

--- The folders to search for a set, in order: a list of {folder=, origin="env"|"system"|"cache",
-- flat=}; flat: the folder is not one of that set's name, so it may hold another set.
-- @param is_known boolean: a name that nobody knows is not looked for in a flat folder
function M.list(name, is_known)
  local list = {}
  local env = setting "BNNLUA_DATA"
  local below = env and M.below(name, env) or {}
  for i, folder in ipairs(below) do
    local flat = i == #below
    if is_known or not flat then
      list[#list + 1] = {folder = folder, origin = "env", flat = flat}
    end
  end
  for dir in (setting "XDG_DATA_DIRS" or "/usr/local/share:/usr/share"):gmatch "[^:]+" do
    list[#list + 1] = {folder = dir:gsub("(.)/+$", "%1") .. "/datasets/" .. name, origin = "system"}
  end
  local cache = M.cache()
  if cache then list[#list + 1] = {folder = cache .. "/" .. name, origin = "cache"} end
  return list
end

--- The places in words, for a message: "$BNNLUA_DATA (not set), /usr/share/datasets/mnist, ...".
function M.words(name)
  local env = setting "BNNLUA_DATA"
  local words = {("$BNNLUA_DATA (%s)"):format(env or "not set")}
  for _, place in ipairs(M.list(name, true)) do
    if place.origin ~= "env" then words[#words + 1] = place.folder end
  end
  return table.concat(words, ", ")
end

return M
