--- The folders of runs: runs/ID/ with run.json, config.json, code/, metrics.jsonl, output.txt and
-- so on. A folder is whole from the start, as it gets its name when its first files are written,
-- and locked as long as its run lives: the system gives the lock back however the run ends.
local core = require "bnn.core"
local folders = require "bnn.base.folders"
local json_codec = require "bnn.base.json_codec"
local strings = require "bnn.base.strings"

local M = {}

local MANIFEST = "manifest.sha256"

--- The file of tags and notes, which may grow after the seal.
M.NOTES = "notes.jsonl"

local READ_ONLY, WRITABLE = 0x124, 0x1a4 -- octal 444 and 644

--- The folder of runs: what is given, else $BNNLUA_RUNS, else ./runs; nil: nothing is recorded, as
-- the name is empty.
-- @param given string, or nil
function M.root(given)
  local root = given or os.getenv "BNNLUA_RUNS" or "runs"
  return root ~= "" and (root:gsub("(.)/+$", "%1")) or nil
end

--- Whether a name is that of a run: 20261130-092613-482-9f3a51c7 (with four digits at the end in
-- records of earlier versions).
function M.is_id(name) return name:find "^%d%d%d%d%d%d%d%d%-%d%d%d%d%d%d%-%d%d%d%-%x+$" ~= nil end

local last_ms = 0

-- An id that sorts by time, after those of this process, and that no other process makes, on any
-- machine: of 1,000 runs in the same millisecond two are the same with a chance of 1 in 8,600.
local function new_id()
  local ms = math.max(math.floor(core.now() * 1000), last_ms + 1)
  last_ms = ms
  local source <close> = io.open("/dev/urandom", "rb")
  local bytes = source and source:read(4) or string.pack("<I4", select(2, core.host()) & 0xffffffff)
  return ("%s-%03d-%08x"):format(os.date("!%Y%m%d-%H%M%S", ms // 1000), ms % 1000,
    (string.unpack("<I4", bytes)))
end

--- A time as records have it: UTC, "2026-11-30 09:26:13.482".
function M.time_text(seconds)
  return ("%s.%03d"):format(os.date("!%Y-%m-%d %H:%M:%S", math.floor(seconds)),
    math.floor(seconds % 1 * 1000))
end

--- Writes a file so that a reader sees it whole or not at all.
-- @return true; or nil, message
function M.write(path, text)
  local part = ("%s.%d.part"):format(path, (select(2, core.host()))) -- others may write it too
  local file, fault = io.open(part, "wb")
  if not file then return nil, strings.shown(fault) end
  local ok, why = file:write(text)
  if ok then ok, why = file:close() else file:close() end
  if ok then ok, why = os.rename(part, path) end
  if ok then return true end
  os.remove(part)
  return nil, strings.message("%s: %s", path, why)
end

-- A table as JSON; or nil, message.
local function json_of(value)
  local tree, fault = json_codec.encode(value, "record")
  if not tree then return nil, fault end
  local text, lack = core.json_encode(tree)
  return text and text .. "\n", lack
end

--- Writes a table as JSON, which M.read_json reads.
-- @return true; or nil, message
function M.write_json(path, value)
  local text, fault = json_of(value)
  if not text then return nil, fault end
  return M.write(path, text)
end

--- Reads a whole file; or nil, message.
function M.read(path)
  local file <close>, fault = io.open(path, "rb")
  local text = file and file:read "a"
  if not text then return nil, strings.shown(fault or path .. ": cannot be read") end
  return text
end

--- Reads what M.write_json wrote; or nil, message.
function M.read_json(path)
  local text, message = M.read(path)
  if not text then return nil, message end
  local tree, fault = core.json_decode(text)
  if tree == nil then return nil, strings.message("%s: %s", path, fault) end
  local value, why = json_codec.decode(tree)
  if value == nil then return nil, strings.message("%s: %s", path, why) end
  return value
end

--- Makes the folder of a new run below `root`, under a temporary name.
-- @return {id=, path=, lock=, hidden=}; or nil, message
function M.new(root)
  local ok, fault = folders.make(root)
  if not ok then return nil, fault end
  for _ = 1, 100 do
    local id = new_id()
    local hidden = ("%s/.new-%s"):format(root, id)
    local made, why = core.make_folder(hidden)
    if made == nil then return nil, why end
    if made and not core.is_folder(root .. "/" .. id) then
      return {id = id, path = root .. "/" .. id, hidden = hidden, lock = core.lock_folder(hidden)}
    end
  end
  return nil, root .. ": no new name for a run"
end

--- Gives the folder its name.
-- @return true; or nil, message
function M.publish(folder)
  local ok, fault = os.rename(folder.hidden, folder.path)
  if not ok then return nil, strings.shown(fault) end
  folder.hidden = nil
  return true
end

--- Whether the process that records the run of a folder lives, on this machine or on another that
-- shares its locks.
function M.is_locked(path)
  local lock = core.lock_folder(path)
  if not lock then return core.is_folder(path) end
  lock:release()
  return false
end

--- Lists the ids of the runs below a folder, oldest first; or nil, message.
function M.ids(root)
  local entries, fault = core.list_dir(root)
  if not entries then return nil, fault end
  local ids = {}
  for name, kind in pairs(entries) do
    if kind == "folder" and M.is_id(name) then ids[#ids + 1] = name end
  end
  table.sort(ids, strings.before)
  return ids
end

-- ---- seals ----

--- Lists the files below a folder, "code/mnist.lua", in order.
function M.files(path)
  local list = {}
  local function walk(folder, prefix)
    for name, kind in pairs(core.list_dir(folder) or {}) do
      if kind == "folder" then
        walk(folder .. "/" .. name, prefix .. name .. "/")
      else
        list[#list + 1] = prefix .. name
      end
    end
  end
  walk(path, "")
  table.sort(list, strings.before)
  return list
end

local ABOUT, NEXT_ABOUT = "run.json", "run.json.next"

local function is_sealed(name)
  return name ~= MANIFEST and name ~= M.NOTES and name ~= NEXT_ABOUT
end

-- The lines of a manifest; of run.json the hash is that of the file which is to take its place, if
-- there is one.
local function manifest_lines(path, next_about)
  local lines = {}
  for _, name in ipairs(M.files(path)) do
    if is_sealed(name) then
      local file = path .. "/" .. (name == ABOUT and next_about or name)
      local sha256, fault = core.file_sha256(file)
      if not sha256 then return nil, fault end
      if name:find "[\n\\]" then
        return nil, strings.message("%s: no name that a manifest can have", name)
      end
      lines[#lines + 1] = ("%s  %s\n"):format(sha256, name)
      core.set_mode(file, READ_ONLY)
    end
  end
  return table.concat(lines)
end

--- Writes the manifest of a finished run, as `sha256sum -c` reads it, and makes its files
-- read-only. What run.json says of the end is there only after the manifest is, so that a run which
-- is killed meanwhile has not ended.
-- @param about table: what run.json is to hold, or nil: as it is
-- @return true; or nil, message, and run.json is written all the same if it can be
function M.seal(path, about)
  local ok, fault = true, nil
  if about then ok, fault = M.write_json(path .. "/" .. NEXT_ABOUT, about) end
  if not ok then return nil, fault end
  local text, why = manifest_lines(path, about and NEXT_ABOUT)
  local manifest, sealed = path .. "/" .. MANIFEST, nil
  if text then sealed, why = core.save_bytes(manifest, text) end
  if sealed then core.set_mode(manifest, READ_ONLY) end
  if about then ok, fault = os.rename(path .. "/" .. NEXT_ABOUT, path .. "/" .. ABOUT) end
  if not ok then return nil, strings.shown(fault) end
  return sealed, why
end

-- Files that were being written by a process that was killed.
local function remove_parts(path)
  for name in pairs(core.list_dir(path) or {}) do
    if name:find "%.part$" then os.remove(path .. "/" .. name) end
  end
  os.remove(path .. "/" .. NEXT_ABOUT)
end

--- Takes the seal away, so that the run can go on.
function M.unseal(path)
  os.remove(path .. "/" .. MANIFEST)
  remove_parts(path)
  for _, name in ipairs(M.files(path)) do core.set_mode(path .. "/" .. name, WRITABLE) end
end

-- The hashes of a manifest by name; or nil, message.
local function read_manifest(path)
  local text, fault = M.read(path .. "/" .. MANIFEST)
  if not text then return nil, fault end
  local hashes = {}
  for line in text:gmatch "[^\n]+" do
    local sha256, name = line:match "^(%x+)  (.+)$"
    if not sha256 or #sha256 ~= 64 then
      return nil, strings.message("%s: a line is damaged: %s", MANIFEST, line)
    end
    hashes[name] = sha256
  end
  return hashes
end

--- Whether a run has a seal.
function M.has_seal(path) return M.read(path .. "/" .. MANIFEST) ~= nil end

--- Hashes the files of a sealed run again.
-- @return a list of faults, "metrics.jsonl: changed", and how many files are as they were; or nil,
--   message if there is no seal that can be read
function M.verify(path)
  local hashes, fault = read_manifest(path)
  if not hashes then return nil, fault end
  local faults, good, seen = {}, 0, {}
  for _, name in ipairs(M.files(path)) do
    local sha256, why = nil, nil
    if is_sealed(name) then sha256, why = core.file_sha256(path .. "/" .. name) end
    seen[name] = true
    if not is_sealed(name) then
      good = good -- the manifest and the notes, which are not in it
    elseif not hashes[name] then
      faults[#faults + 1] = strings.message("%s: added after the run", name)
    elseif not sha256 then
      faults[#faults + 1] = strings.message("%s: cannot be read: %s", name, why)
    elseif sha256 ~= hashes[name] then
      faults[#faults + 1] = strings.message("%s: changed", name)
    else
      good = good + 1
    end
  end
  for name in pairs(hashes) do
    if not seen[name] then faults[#faults + 1] = strings.message("%s: missing", name) end
  end
  table.sort(faults, strings.before)
  return faults, good
end

--- Removes a folder with all that it holds.
-- @return true; or nil, message
function M.remove(path)
  for name, kind in pairs(core.list_dir(path) or {}) do
    local below = path .. "/" .. name
    local ok, fault
    if kind == "folder" then ok, fault = M.remove(below) else ok, fault = os.remove(below) end
    if not ok then return nil, strings.shown(fault) end
  end
  local ok, fault = os.remove(path)
  return ok, fault and strings.shown(fault)
end

local UNBORN_SECONDS = 60 -- for which a folder may have no name yet

--- Removes the folders of runs that were killed before these had their names.
function M.remove_unborn(root)
  local latest = os.date("!%Y%m%d-%H%M%S", math.floor(core.now()) - UNBORN_SECONDS)
  for name, kind in pairs(core.list_dir(root) or {}) do
    local time = kind == "folder" and name:match "^%.new%-(%d+%-%d+)"
    local lock = time and time < latest and core.lock_folder(root .. "/" .. name)
    if lock then
      M.remove(root .. "/" .. name)
      lock:release()
    end
  end
end

--- Copies a file.
-- @return true; or nil, message
function M.copy(from, to)
  local input <close>, fault = io.open(from, "rb")
  if not input then return nil, strings.shown(fault) end
  local output <close>, why = io.open(to, "wb")
  if not output then return nil, strings.shown(why) end
  for block in function() return input:read(1 << 20) end do
    local ok, message = output:write(block)
    if not ok then return nil, strings.message("%s: %s", to, message) end
  end
  local ok, message = output:flush()
  return ok and true, message and strings.message("%s: %s", to, message)
end

--- Makes an id that sorts by time and that no other process makes.
M.new_id = new_id

return M
