--- Whether the process that makes a run still lives. It holds the lock of the run's folder as long
-- as it does, and gives a sign of life every few seconds, for machines that do not see its locks.
local core = require "bnn.core"
local run_folder = require "bnn.records.run_folder"

local M = {}

-- A run of another machine, whose locks may not be seen, is dead after this silence.
local SILENT_SECONDS = 600

local function sign_path(path) return path .. "/heartbeat" end

--- Writes a sign of life into the folder of a run.
function M.write(path, step)
  run_folder.write(sign_path(path), ("%s %s\n"):format(run_folder.time_text(core.now()),
    step or ""))
end

--- Removes the sign of life of a run that has ended.
function M.remove(path) os.remove(sign_path(path)) end

--- The time of the last sign of life of a run, as records have times: at least its start.
-- @param about table: what run.json holds
function M.last_sign(path, about)
  local text = run_folder.read(sign_path(path)) or ""
  return text:match "^%d+%-%d+%-%d+ %d+:%d+:[%d.]+" or about.attempt_started or about.started
end

-- The seconds of a time as records and the store write it, for differences.
local function seconds_of(text)
  local y, mo, d, h, mi, s = tostring(text):match "^(%d+)-(%d+)-(%d+) (%d+):(%d+):(%d+)"
  return y and os.time{year = y, month = mo, day = d, hour = h, min = mi, sec = s} or 0
end

--- The seconds between two times as records have them.
function M.seconds_between(first, last) return seconds_of(last) - seconds_of(first) end

--- Whether a sign of life is a short time old.
function M.is_recent(sign, now) return M.seconds_between(sign, now) <= SILENT_SECONDS end

--- Whether a run of another machine was heard of a short time ago.
-- @param host string: where it runs
-- @param sign string: the time of its last sign of life, by the same clock as `now`
function M.is_fresh(host, sign, now)
  return host ~= core.host() and M.is_recent(sign, now)
end

--- The status of a run: what its record says, but "dead" instead of "running" if nobody makes it.
-- @param path string: its folder, or nil: it is on another machine
-- @param run table: status and host; and, if heartbeat is given, started and attempt_started
-- @param heartbeat string: the last sign of life, or nil: what the folder has
-- @param now string: the time by the same clock, or nil: this machine's
function M.status(path, run, heartbeat, now)
  if run.status ~= "running" or path and run_folder.is_locked(path) then return run.status end
  heartbeat = heartbeat or M.last_sign(path, run)
  now = now or run_folder.time_text(core.now())
  local lives = M.is_fresh(run.host, heartbeat, now)
  if not path then lives = M.is_recent(heartbeat, now) end -- in a root that nobody sees from here
  return lives and run.status or "dead"
end

return M
