--- The history of the prompt, which lives on in $XDG_STATE_HOME/bnnlua/history (~/.local/state).
--
-- One entry a line, its newlines written \n and its backslashes \\; only its user may read it. Each
-- is appended as it is entered, in one write, so that two prompts share the file. At the start
-- of a prompt a file of more than twice the entries that are kept is written anew.
local core = require "bnn.core"
local folders = require "bnn.base.folders"

local M = {}

M.MOST = 1000 -- entries kept
local PRIVATE = 0x180 -- octal 600

local ESCAPES = {["\\"] = "\\\\", ["\n"] = "\\n"}
local MEANINGS = {["\\\\"] = "\\", ["\\n"] = "\n"}

--- The path of the history; nil if there is no home folder.
function M.path()
  local state, home = os.getenv "XDG_STATE_HOME", os.getenv "HOME"
  if state and state:find "^/" then return state .. "/bnnlua/history" end
  return home and home ~= "" and home .. "/.local/state/bnnlua/history" or nil
end

-- The last MOST different entries of lines, the oldest first, each where it came last.
local function newest(lines)
  local seen, kept = {}, {}
  for i = #lines, 1, -1 do
    if not seen[lines[i]] and #kept < M.MOST then
      seen[lines[i]] = true
      table.insert(kept, lines[i])
    end
  end
  for i = 1, #kept // 2 do kept[i], kept[#kept + 1 - i] = kept[#kept + 1 - i], kept[i] end
  return kept
end

local function read_lines(path)
  local file, lines = io.open(path, "r"), {}
  if not file then return lines end
  for line in file:lines() do
    if line ~= "" then lines[#lines + 1] = line end
  end
  file:close()
  return lines
end

-- Opens a file that only its user may read; what is there already is let be.
local function open_private(path, mode)
  if not folders.make_above(path) then return nil end
  local file = io.open(path, mode)
  if file and not core.set_mode(path, PRIVATE) then
    file:close()
    return nil
  end
  return file
end

-- The folder's lock keeps two prompts that start at once from doing it both.
local function shorten(path, kept)
  local lock = core.lock_folder(path:match "^(.+)/")
  if not lock then return end
  local fresh = ("%s.%d"):format(path, select(2, core.host()))
  local file = open_private(fresh, "w")
  if file then
    file:write(table.concat(kept, "\n"), "\n")
    if file:close() then os.rename(fresh, path) end
    os.remove(fresh)
  end
  lock:release()
end

--- Reads the entries, the oldest first.
-- @param path string or nil
function M.read(path)
  local lines = path and read_lines(path) or {}
  local kept = newest(lines)
  if #lines > 2 * M.MOST then shorten(path, kept) end
  for i, line in ipairs(kept) do kept[i] = line:gsub("\\[\\n]", MEANINGS) end
  return kept
end

--- Appends an entry; a file that cannot be written is let be.
-- @param path string or nil
-- @param text string: may have several lines
function M.append(path, text)
  local file = path and open_private(path, "a")
  if not file then return end
  local line = text:gsub("[\\\n]", ESCAPES) .. "\n"
  file:setvbuf("full", #line + 1)
  file:write(line)
  file:close()
end

return M
