--- Where the ledger of a folder of runs ("root") is: in SQLite (root/runs.db), in PostgreSQL, or
-- nowhere, as the folders are all ("folder"). root/ledger.txt says so in one line, "folder" or the
-- URL; without it there is SQLite. A password is never part of what is written or shown.
local core = require "bnn.core"
local folders = require "bnn.base.folders"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"

local M = {}

--- The flag of experiments and tools.
M.FLAG = {nil, "where the ledger of a folder of records is: sqlite (runs.db in it), folder (no "
            .. "database), or postgresql://host/db (default $BNNLUA_LEDGER, else sqlite)",
          type = "string", result = false}

local function path_of(root) return root .. "/ledger.txt" end

-- ---- passwords ----

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Whether a URL has a password in it, before the host or as an option.
local function has_password(url)
  local host, rest = url:match "^%w+://([^/?]*)(.*)$"
  if host:match "^(.*)@" and host:match "^(.*)@":find ":" then return true end
  for name in rest:gmatch "[?&]([^=&]*)" do
    if decoded(name):find "password$" then return true end
  end
  return false
end

--- Whether a place is that of a server.
function M.is_url(place)
  local scheme = place:match "^(%l+)://"
  return scheme == "postgresql" or scheme == "postgres"
end

--- Reads what a user says of a place.
-- @param text string
-- @return the place, "sqlite", "folder" or a URL; or nil, message
function M.parse(text)
  if text == "sqlite" or text == "folder" then return text end
  if not M.is_url(text) then
    -- What is not understood may have a password in it.
    return nil, strings.message("expected sqlite, folder or postgresql://host/db, got '%s'",
      text:find "[@=]" and text:match "^[^:@=]*" .. "..." or text)
  end
  if has_password(text) then
    return nil, "a URL with a password in it is refused: the password belongs in ~/.pgpass, "
      .. "$PGPASSFILE or a service file"
  end
  if text:find "[%s%c]" then return nil, "a URL has no spaces in it" end
  return text
end

-- ---- roots ----

--- The place that a root has, or nil: it has no ledger yet.
-- @return place; nil; or nil, message
function M.find(root)
  local file <close> = io.open(path_of(root), "rb")
  if file then
    local text = (file:read "a" or ""):match "^%s*(.-)%s*$"
    local place, fault = M.parse(text)
    if place then return place end
    return nil, strings.message("%s: %s", path_of(root), fault)
  end
  -- Not by opening it: the end of that would end the locks of this process's connections to it, and
  -- another's last connection could take away the log that they write.
  return core.real_path(root .. "/runs.db") and "sqlite" or nil
end

--- Writes the place of a root.
-- @return true; or nil, message
function M.write(root, place)
  local ok, fault = folders.make(root)
  if not ok then return nil, fault end
  if place ~= "sqlite" then return run_folder.write(path_of(root), place .. "\n") end
  os.remove(path_of(root))
  return true
end

-- What is to be, of a root that has no ledger yet.
local function wanted_place(wanted)
  if wanted then
    local place, fault = M.parse(wanted)
    return place, fault and "--ledger: " .. fault
  end
  local text = os.getenv "BNNLUA_LEDGER"
  if not text or text == "" then return "sqlite" end
  local place, fault = M.parse(text)
  return place, fault and "$BNNLUA_LEDGER: " .. fault
end

--- Returns where the ledger of a root is. If the root has no ledger yet, this decides: `wanted`, or
-- else $BNNLUA_LEDGER, or else SQLite; and it is written down.
-- @param wanted string: as --ledger gives it, or nil
-- @return place; or nil, message: it has another one
function M.settle(root, wanted)
  local has, fault = M.find(root)
  if fault then return nil, fault end
  if has and not wanted then return has end
  local place, why = wanted_place(wanted)
  if not place then return nil, why end
  if has == place then return place end
  if has then
    return nil, strings.message("--ledger: the ledger of %s is %s; `bnnlua -m runs move --runs=%s "
      .. "--ledger=%s` moves it", root, has, strings.shell_word(root), strings.shell_word(place))
  end
  if place == "sqlite" then return place end
  local ok, lack = M.write(root, place)
  if not ok then return nil, lack end
  strings.notice(strings.message("the ledger of %s is %s", root, place))
  return place
end

--- Where a folder of this machine is, for others: "host:/absolute/path".
function M.of_folder(path)
  return ("%s:%s"):format((core.host()), core.real_path(path) or path)
end

return M
