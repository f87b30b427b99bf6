--- The files that logs write: text is added at their end, line by line or record by record. A write
-- that fails ends the log, not the run: one line on stderr says so at once, and an experiment ends
-- with exit status 1, after its results.
local fail = require "bnn.base.fail"
local refusal = require "bnn.base.refusal"
local strings = require "bnn.base.strings"

local M = {}

local File = {}
File.__index = File

local TAIL = 1 << 16 -- bytes to look for the last line in

-- The last line of a file that does not end; nil if all do.
local function cut_line(path)
  local file <close> = io.open(path, "rb")
  local size = file and file:seek "end" or 0
  if size == 0 then return nil end
  file:seek("set", math.max(0, size - TAIL))
  local line = file:read "a":match "[^\n]*$"
  return line ~= "" and line or nil
end

--- Opens a file to write to.
-- @param path string
-- @param append false: the file begins anew; else what it holds stays: true, or, for lines,
--   function(line) -> what ends a last one that was cut short
-- @param header string, or nil: what an empty file begins with
-- @return file with put(text) and close(); or nil, message
function M.open(path, append, header)
  local line = type(append) == "function" and cut_line(path)
  local out, message = io.open(path, append and "ab" or "wb")
  if not out then return nil, strings.shown(message) end
  local self = setmetatable({path = path, out = out}, File)
  if line then self:put(append(line)) end
  if header and out:seek "end" == 0 then self:put(header) end
  return self
end

-- The end of a log that cannot be written.
local function give_up(self, message)
  self.failed = true
  local text = ("the log %s ends here: %s"):format(self.path, message)
  strings.notice(text)
  refusal.fail_late(text)
end

-- Adds text, which is in the file when this returns.
function File:put(text)
  if self.failed then return end
  if io.type(self.out) ~= "file" then fail("log:row: the file is closed: %s", self.path) end
  local ok, message = self.out:write(text)
  if ok then ok, message = self.out:flush() end
  if not ok then give_up(self, message) end
end

-- Closes the file. Calling it twice is safe.
function File:close()
  if io.type(self.out) == "file" then self.out:close() end
end

return M
