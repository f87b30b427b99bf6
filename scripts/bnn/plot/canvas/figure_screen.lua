--- Where a figure without a path and without out= goes: at the prompt to its terminal at once, as a
-- picture where that can show one. Elsewhere there is no screen, and the caller gets the figure.
local core = require "bnn.core"

local M = {}

local PATH = "the terminal\0.png" -- no file can have this name

local screen -- of the prompt, or nil
local last -- what the function that showed something last returned, or nil

--- Opens the screen.
-- @param to table: show = function(x, opts), as bnn.show; has_pictures = function() -> whether it
--   shows pictures; nil closes it
function M.open(to) screen = to end

--- Whether there is one.
function M.is_open() return screen ~= nil end

--- Whether a path stands for the screen.
function M.is_path(path) return path == PATH end

--- Remembers what a function returns that has shown something; nil: nothing was shown.
function M.remember(value) last = value end

--- Whether the function that last showed something returned this.
function M.was_shown(value) return last ~= nil and rawequal(last, value) end

--- Shows something.
-- @param value what the function that draws returns
-- @param x, opts as for bnn.show
-- @return value; or nil, message
function M.show(value, x, opts)
  local ok, fault = screen.show(x, opts)
  if not ok then return nil, fault end
  last = value
  return value
end

-- What text is written to.
local Out = {}

function Out:write(text)
  io.stdout:write(text)
  last = text
  return self
end

--- Sends a figure to the screen, if there is one and neither a path nor out= is given.
-- @param opts table: checked options, which are filled in
function M.prepare(opts)
  if not screen or opts.path or opts.out then return end
  if screen.has_pictures() then
    opts.path, opts.scale = PATH, 1
  else
    opts.out = Out
  end
end

--- Shows a PNG that was drawn into the path of the screen.
-- @return true; or nil, message
function M.show_png(bytes)
  local picture, fault = core.png_parse(bytes, "the figure", "rgb")
  if not picture then return nil, fault end
  return M.show(true, picture, nil)
end

core.on_fork(function() screen = nil end) -- the terminal is the parent's

return M
