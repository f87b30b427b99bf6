--- What a sweep shows on stderr while it runs: on a terminal a line for the whole, one for the best
-- trial so far and one for each worker; elsewhere a line now and then, and one for each failure.
local core = require "bnn.core"
local duration = require "bnn.base.duration"
local number = require "bnn.base.number"
local sweep_text = require "bnn.sweep.sweep_text"
local strings = require "bnn.base.strings"

local M = {}

local EVERY = 0.2      -- seconds between two pictures on a terminal
local FIRST_PLAIN = 10 -- elsewhere, before the first line; each interval is twice the last

--- What a view writes to, which tests replace; as in bnn.base.progress.
M.host = {
  now = core.ticks,
  columns = function() return os.getenv "TERM" ~= "dumb" and core.terminal "stderr" or nil end,
  write = function(text) io.stderr:write(text) end,
}

local View = {}
View.__index = View

--- Makes the view of a plan.
function M.new(plan)
  local host = M.host
  local now = host.now()
  local is_shown = plan.opts.progress
  local columns = is_shown and host.columns() or nil
  return setmetatable({
    plan = plan, host = host, columns = columns, is_shown = is_shown, started = now,
    due = now + (columns and EVERY or FIRST_PLAIN), drawn = 0, seconds = 0, runs = 0,
  }, View)
end

--- Notes that a run of this sitting has ended, for the time that is left.
function View:add_run(seconds)
  self.runs, self.seconds = self.runs + 1, self.seconds + seconds
end

-- About how many seconds are left, or nil.
local function seconds_left(self, counts)
  if self.runs == 0 then return nil end
  local passed = self.host.now() - self.started
  local speed = math.max(self.runs / math.max(passed, 1e-3), 1e-9)
  return (counts.open + counts.running) / speed
end

local function whole_line(self, counts)
  local words = {number.format("%s: %d of %d runs done", self.plan.name,
    counts.completed + counts.pruned, counts.total)}
  if counts.pruned > 0 then words[#words + 1] = counts.pruned .. " of them pruned" end
  if counts.failed > 0 then words[#words + 1] = counts.failed .. " failed" end
  words[#words + 1] = ("%d running"):format(counts.running)
  words[#words + 1] = ("%d left"):format(counts.open)
  local left = seconds_left(self, counts)
  if left and counts.open + counts.running > 0 then
    words[#words + 1] = duration.text(left) .. " to go"
  end
  return table.concat(words, ", ")
end

local function best_line(self, best)
  if not best then return "no trial is complete yet" end
  return "best so far: " .. sweep_text.trial(self.plan, best)
end

local function worker_line(i, job, now)
  if not job then return ("  %d: idle"):format(i) end
  return ("  %d: trial %d%s, %s%s"):format(i, job.task.trial,
    job.seed and ", seed " .. job.seed or "", duration.text(now - job.started),
    job.line and ": " .. job.line or "")
end

local function fitted(line, columns)
  line = strings.shown(line)
  local last = utf8.offset(line, columns) -- of a line that is too long
  return last and line:sub(1, last - 1) or line
end

local function draw(self, lines)
  local parts = {self.drawn > 0 and ("\r\27[%dA"):format(self.drawn) or "\r"}
  for _, line in ipairs(lines) do
    parts[#parts + 1] = "\27[K" .. fitted(line, self.columns) .. "\n"
  end
  if self.drawn > #lines then parts[#parts + 1] = "\27[J" end
  self.drawn = #lines
  self.host.write(table.concat(parts))
end

--- Whether it is time to show the state again.
function View:is_due() return self.is_shown and self.host.now() >= self.due end

--- Shows the state.
-- @param counts table: runs by state, and total
-- @param best trial, or nil
-- @param slots list of {task=, started=, line=, seed=}, false where a worker is idle; or of texts
function View:show(counts, best, slots)
  if not self.is_shown then return end
  local now = self.host.now()
  if not self.columns then
    local text = type(slots[1]) == "string" and "; " .. slots[1] or ""
    self.host.write(whole_line(self, counts) .. "; " .. best_line(self, best) .. text .. "\n")
    self.due = self.started + 2 * (self.due - self.started)
    return
  end
  local lines = {whole_line(self, counts), best_line(self, best)}
  for i, slot in ipairs(slots) do
    lines[#lines + 1] = type(slot) == "string" and "  " .. slot or worker_line(i, slot, now)
  end
  draw(self, lines)
  self.due = now + EVERY
end

--- Erases what stands on the terminal.
function View:erase()
  if self.columns and self.drawn > 0 then
    self.host.write(("\r\27[%dA\27[J"):format(self.drawn))
    self.drawn = 0
  end
end

View.__close = View.erase

--- Says something that stays, above the changing lines.
function View:say(line)
  self:erase()
  strings.notice(line)
end

return M
