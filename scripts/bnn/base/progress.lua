--- Progress of long work on stderr: one line that changes on a terminal, a line now and then
-- elsewhere.
--
--     local bar <close> = progress.start("train", {of = steps, unit = "steps"})
--     for step = 1, steps do bar:update(step, loss) end
--
-- Shows "train: 1234 of 5000 steps, loss 0.312, 2840 steps/s, 1 s left". Nothing is shown for work
-- of less than a second on a terminal, or of ten elsewhere. The line is erased before anything else
-- is written by Lua, and at the end, of the program as well. Work inside of other work shows in the
-- line of the outermost.
local core = require "bnn.core"
local duration = require "bnn.base.duration"
local number = require "bnn.base.number"

local M = {}

local FIRST, EVERY = 1, 0.1 -- seconds: on a terminal, before the first line and between two
local FIRST_PLAIN = 10      -- elsewhere, before the first line; each interval is twice the last
local LOOK = 0.02           -- seconds between two looks at the clock, about
local MEMORY, LOSSES = 3, 50 -- seconds that the rate averages over, and steps that the loss does

local files = getmetatable(io.stderr).__index
local raw_write = files.write

--- What a bar writes to, which tests replace: now() in seconds, columns() of the terminal or nil,
-- write(text), mark(whether a line stands there), which erases it if the program ends.
M.host = {
  now = core.ticks, mark = core.line_stands,
  columns = function() return os.getenv "TERM" ~= "dumb" and core.terminal "stderr" or nil end,
  write = function(text) raw_write(io.stderr, text) end,
}

local is_quiet = false
local outermost = setmetatable({}, {__mode = "v"}) -- [1]: the bar that is shown

-- ---- the line on the terminal ----

local drawn -- the bar whose line is on the terminal, or nil

-- Where functions that write are: table, name; and while `drawn`, what was there and what is.
local writers = {{files, "write"}, {io, "write"}, {_G, "print"}}

local function put_writers_back()
  for _, writer in ipairs(writers) do
    local t, name = writer[1], writer[2]
    if writer.watching and rawget(t, name) == writer.watching then rawset(t, name, writer.own) end
  end
end

-- Erases the line, so that something else can be written there. An interrupt may come anywhere in
-- here: `drawn` says that there is a line as long as there may be one.
local function erase()
  if not drawn then return end
  put_writers_back()
  drawn.host.write "\r\27[K"
  drawn.host.mark(false)
  drawn = nil
end

-- From now on, whatever Lua writes to the terminal erases the line first.
local function watch_writes(bar)
  drawn = bar
  for _, writer in ipairs(writers) do
    local own = rawget(writer[1], writer[2])
    writer.own, writer.watching = own, own and function(...)
      local file = ...
      if writer[1] ~= files or file == io.stdout or file == io.stderr then erase() end
      return own(...)
    end
    rawset(writer[1], writer[2], writer.watching)
  end
end

local function draw(bar, text)
  erase()
  watch_writes(bar)
  bar.host.mark(true)
  bar.host.write("\r\27[K" .. text:sub(1, bar.columns - 1))
end

-- ---- the text ----

local function amount(v)
  return number.format(v >= 100 and "%.0f" or v == math.floor(v) and "%d" or "%.3g", v)
end

-- "train: 12 of 100 steps"
local function position_text(bar)
  local scale = bar.scale
  local at = scale == 1 and amount(bar.at) or number.format("%.1f", bar.at / scale)
  local of = bar.of and " of " .. (scale == 1 and amount(bar.of)
    or number.format("%.1f", bar.of / scale)) or ""
  return ("%s: %s%s %s"):format(bar.what, at, of, bar.unit)
end

-- How far it is, with the parts that are being done.
local function position(bar)
  local at = bar.at
  for child in pairs(bar.parts and bar.children or {}) do
    if child.of and child.of > child.first then
      at = at + (child.at - child.first) / (child.of - child.first)
    end
  end
  return at
end

local function update_rate(bar, at, now)
  local passed = now - bar.shown
  if passed <= 0 then return end
  local rate = (at - bar.shown_at) / passed
  local weight = bar.rate and 1 - math.exp(-passed / MEMORY) or 1
  bar.rate = (bar.rate or 0) + weight * (rate - (bar.rate or 0))
  bar.shown, bar.shown_at = now, at
end

local function text_of(bar, now)
  local at = position(bar)
  update_rate(bar, at, now)
  local words, rate = {position_text(bar)}, bar.rate or 0
  if bar.parts and bar.of then
    words[1] = words[1] .. number.format(" (%.0f%%)", 100 * at / bar.of)
  end
  if bar.losses > 0 then words[#words + 1] = "loss " .. number.format("%.4g", bar.loss) end
  if rate > 0 and not bar.parts then
    words[#words + 1] = ("%s %s/s"):format(amount(rate / bar.scale), bar.unit)
  end
  if rate > 0 and bar.of then
    words[#words + 1] = duration.text((bar.of - at) / rate) .. " left"
  end
  local child = not bar.parts and next(bar.children)
  return table.concat(words, ", ") .. (child and "; " .. position_text(child) or "")
end

local function show(bar, now)
  if bar.columns then
    draw(bar, text_of(bar, now))
    bar.due = now + EVERY
  else
    bar.host.write(text_of(bar, now) .. "\n")
    bar.due = bar.started + 2 * (bar.due - bar.started)
  end
end

-- ---- bars ----

local Bar = {__name = "bnn.progress"}
Bar.__index = Bar

-- Averages the loss of the updates since the last look with those before.
local function add_losses(self)
  local shown, n = self.counts_for, self.stride - self.left
  local before = shown.losses
  local weight = before < LOSSES and n / (before + n) or 1 - (1 - 1 / LOSSES) ^ n
  shown.losses, shown.loss = before + n, shown.loss + weight * (self.sum / n - shown.loss)
  self.sum = 0
end

-- Looks at the clock, and shows what is due; finds out how many updates to wait until the next.
local function look(self, at, has_loss)
  local now = self.host.now()
  self.at = at
  if has_loss then add_losses(self) end
  local passed = now - self.seen
  if passed < LOOK / 2 then
    self.stride = self.stride * 2
  elseif passed > LOOK * 2 then
    self.stride = math.max(1, self.stride // 2)
  end
  self.seen, self.left = now, self.stride
  local root = self.root or self
  if now >= root.due then show(root, now) end
end

--- Says how far the work is. Costs about as much as a few additions.
-- @param at number: what is done, as `of` counts
-- @param loss number or nil: what is shown is its mean over the last fifty or so
function Bar:update(at, loss)
  local left = self.left - 1
  self.left = left
  if loss then self.sum = self.sum + loss end
  if left == 0 then look(self, at, loss ~= nil) end
end

--- Ends the work; its line is erased. Calling it twice is safe.
function Bar:finish()
  if self.root then
    self.root.children[self] = nil
  elseif outermost[1] == self then
    outermost[1] = nil
    if drawn == self then erase() end
  end
end

Bar.__close = Bar.finish

local SILENT = setmetatable({update = function() end, finish = function() end},
  {__close = function() end})

--- Begins a piece of work.
-- @param what string: what is done, in ASCII
-- @param opts table: of= how much there is (nil: unknown), at=0 how much of it is done already,
--   unit="steps", scale=1 what to divide numbers by, parts=true if the work inside of this one is
--   the part of it that is next, progress=false to show nothing
-- @return bar, to be closed
function M.start(what, opts)
  if is_quiet or opts.progress == false then return SILENT end
  local host, at = M.host, opts.at or 0
  local now = host.now()
  local bar = setmetatable({
    what = what, of = opts.of, at = at, first = at, unit = opts.unit or "steps",
    scale = opts.scale or 1, parts = opts.parts, host = host, started = now, seen = now,
    shown = now, shown_at = at, stride = 1, left = 1, sum = 0, loss = 0, losses = 0, children = {},
  }, Bar)
  local root = outermost[1]
  bar.counts_for = root and root.parts and root or bar
  if root then
    bar.root, root.children[bar] = root, true
    return bar
  end
  bar.columns = host.columns()
  bar.due = now + (bar.columns and FIRST or FIRST_PLAIN)
  outermost[1] = bar
  return bar
end

-- A child draws no line of its parent's, and its own work is not inside of it.
core.on_fork(function()
  if drawn then put_writers_back() end
  drawn, outermost[1] = nil, nil
end)

--- Shows nothing from now on, or something again.
-- @param quiet boolean
-- @return what it was before
function M.set_quiet(quiet)
  local before = is_quiet
  is_quiet = quiet
  return before
end

return M
