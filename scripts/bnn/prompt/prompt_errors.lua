--- Errors at the prompt: the message, then the frames of the user's own code.
local core = require "bnn.core"

local M = {}

local LEVELS = 100 -- looked at from the error on
local SHOWN = 10

local function is_library(source)
  local folder = os.getenv "BNNLUA_SCRIPTS"
  return source:find "^@scripts/bnn/" ~= nil
    or folder ~= nil and folder ~= "" and source:sub(2, #folder + 5) == folder .. "/bnn/"
end

local function frame_text(info)
  local name = info.what == "main" and "main chunk"
    or info.name and ("function '%s'"):format(info.name)
    or ("function <line %d>"):format(info.linedefined)
  return ("  %s:%d: in %s"):format(info.short_src, info.currentline, name)
end

-- The frames of the user between the error and `base`, the function that called the block.
local function user_frames(base)
  local frames = {}
  for level = 3, LEVELS do
    local info = debug.getinfo(level, "Slnf")
    if not info or info.func == base then break end
    local is_users = info.what ~= "C" and not is_library(info.source)
    if is_users then frames[#frames + 1] = frame_text(info) end
  end
  return frames
end

--- The message of any error.
function M.message(err)
  if type(err) == "string" then return err end
  local meta = getmetatable(err)
  if type(meta) == "table" and meta.__tostring then
    local ok, text = pcall(tostring, err)
    if ok then return text end
  end
  if type(err) == "number" then return tostring(err) end
  return ("(error object is a %s value)"):format(type(err))
end

-- Without the frames of the prompt itself.
local function traceback_of(message)
  local text = debug.traceback(message, 3)
  local last = text:find("\n\t[^\n]*\n\t[^\n]*bnn/prompt/prompt%.lua:")
  return last and text:sub(1, last - 1) or text
end

--- Makes the message handler of calls. It gives the error back as it is, since what is closed on
-- the way out may still add to it, and notes where it was raised.
-- @param base function: the one that makes the call, where the user's frames end
-- @param notes table: gets frames = list of lines, traceback=
function M.handler(base, notes)
  return function(err)
    notes.frames, notes.traceback = user_frames(base), traceback_of(M.message(err))
    return err
  end
end

--- The text of an error: its message and, where the user's code called itself, its frames.
-- @param err any: the error
-- @param notes what the handler noted; frames is nil if it could not run
-- @param hint string or nil: a line to follow the message
function M.text(err, notes, hint)
  local frames = notes.frames or {}
  local lines = {M.message(err)}
  lines[#lines + 1] = hint
  if #frames > 1 then table.move(frames, 1, SHOWN, #lines + 1, lines) end
  if #frames > SHOWN then
    lines[#lines + 1] = ("  ... %d more; print(_tb) shows all"):format(#frames - SHOWN)
  end
  return core.shown(table.concat(lines, "\n"), true)
end

return M
