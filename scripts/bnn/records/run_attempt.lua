--- Opens the folder of a run for its next attempt: of one that died, failed or was interrupted.
--
-- What grows (the log, the captured output) is replaced by a copy of itself, so that a process that
-- was thought dead, and still has the old files open, writes into nothing. Nothing changes before
-- all copies are there.
local core = require "bnn.core"
local run_about = require "bnn.records.run_about"
local run_folder = require "bnn.records.run_folder"
local run_life = require "bnn.records.run_life"
local strings = require "bnn.base.strings"

local M = {}

local GROWING = {"metrics.jsonl", "output.txt", "errors.txt"}

-- ---- whether it may be ----

-- Whether the files of a sealed run are as they were when it ended; or nil, message.
local function check_seal(path, id)
  if not run_folder.has_seal(path) then return true end
  local faults, fault = run_folder.verify(path)
  if not faults then return nil, id .. ": " .. fault end
  for _, text in ipairs(faults) do
    if not text:find ": added after the run$" then
      return nil, strings.message("%s: is not what it was: %s", id, text)
    end
  end
  return true
end

--- Whether a run may go on: it is not completed, nobody makes it, and its files are as they were.
-- @param path string: its folder
-- @param about table: what run.json holds
-- @return true; or nil, message
function M.check(path, about)
  local id = about.id
  if about.status == "completed" then
    return nil, id .. ": is completed: there is nothing to resume"
  end
  if about.status ~= "running" then return check_seal(path, id) end
  local sign, now = run_life.last_sign(path, about), run_folder.time_text(core.now())
  if not run_life.is_fresh(about.host, sign, now) then return true end
  return nil, strings.message("%s: is running on %s, which was heard of %d s ago", id, about.host,
    run_life.seconds_between(sign, now))
end

--- Takes the folder of a run, which nobody else can take until the lock is released.
-- @param path string
-- @return about (run.json), config, lock; or nil, message: it is completed, or running, or changed
function M.take(path)
  local id = path:match "[^/]+$"
  local lock, fault = core.lock_folder(path)
  if not lock then
    return nil, run_folder.is_locked(path) and id .. ": is still running" or fault
  end
  local about, why = run_folder.read_json(path .. "/run.json")
  local config, lack = run_folder.read_json(path .. "/config.json")
  local ok = about and config
  if ok then ok, why = M.check(path, about) else why = why or lack end
  if ok then return about, config, lock end
  lock:release()
  return nil, why
end

-- ---- copies ----

-- What ends a text whose last line was cut short.
local function ending(path)
  local file <close> = io.open(path, "rb")
  if not file or (file:seek "end" or 0) == 0 then return "" end
  file:seek("end", -1)
  return file:read(1) ~= "\n" and "\n" or ""
end

-- Copies a log without half a line at its end, which is no row.
local function copy_log(from, to)
  local text, fault = run_folder.read(from)
  if not text then return nil, fault end
  local whole, rest = text:match "^(.*\n)([^\n]*)$"
  whole, rest = whole or "", rest or text
  if rest ~= "" and core.json_decode(rest) ~= nil then whole = whole .. rest .. "\n" end
  return run_folder.write(to, whole)
end

local function copy_text(from, to)
  local ok, fault = run_folder.copy(from, to)
  if not ok then return nil, fault end
  local file <close>, why = io.open(to, "ab")
  if file then ok, why = file:write(ending(to)) end
  if ok then ok, why = file:flush() end
  return ok and true, why
end

local function remove_copies(path)
  for _, name in ipairs(GROWING) do os.remove(path .. "/" .. name .. ".next") end
end

local function make_copies(path)
  for _, name in ipairs(GROWING) do
    local from = path .. "/" .. name
    local file <close> = io.open(from, "rb")
    local copy = name:find "%.jsonl$" and copy_log or copy_text
    local ok, fault = true, nil
    if file then ok, fault = copy(from, from .. ".next") end
    if not ok then return nil, strings.shown(fault) end
  end
  return true
end

-- ---- the next attempt ----

--- Begins the next attempt in a folder that is taken.
-- @param path string
-- @param about table: run.json's, which is changed
-- @param machine table: as run_facts.machine returns it
-- @return true; or nil, message, and the folder is as it was
function M.begin(path, about, machine)
  run_about.next(about, path, machine)
  local ok, fault = make_copies(path)
  if ok then ok, fault = run_folder.write_json(path .. "/run.json", about) end
  if not ok then
    remove_copies(path)
    return nil, fault
  end
  for _, name in ipairs(GROWING) do
    local old = path .. "/" .. name
    os.rename(old .. ".next", old)
  end
  run_folder.unseal(path)
  run_life.write(path)
  return true
end

return M
