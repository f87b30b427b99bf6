--- What the terminal says that it can draw, asked at the first picture of a session.
--
-- Everything is asked at once: whether kitty's graphics work (a=q of its protocol), the size of a
-- cell as iTerm2 reports it and as xterm does (CSI 16 t), and last the primary device attributes
-- (CSI c), which every terminal answers: 4 among them are sixels. What is unknown to a terminal it
-- passes over. tmux, screen and the Linux console are asked for attributes alone: they show some of
-- the rest as text, and pass none of it on.
local core = require "bnn.core"

local M = {}

local KITTY = "\27_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\27\\"
local ITERM2 = "\27]1337;ReportCellSize\7"
local CELL = "\27[16t"
local ATTRIBUTES = "\27[c"

local PLAIN = {"^tmux", "^screen", "^linux", "^vt%d"} -- names of terminals that get no more

--- The question for a terminal.
-- @param term string: $TERM
-- @param is_inside boolean: whether it is within tmux or screen
function M.question(term, is_inside)
  for _, name in ipairs(PLAIN) do is_inside = is_inside or term:find(name) ~= nil end
  return is_inside and ATTRIBUTES or KITTY .. ITERM2 .. CELL .. ATTRIBUTES
end

-- ---- reading the answer ----

-- Patterns of answers, and what each says. iTerm2 reports height and width in points, and the
-- pixels of one.
local ANSWERS = {
  {"\27_Gi=31;(.-)\27\\", function(found, word) found.kitty = word:sub(1, 2) == "OK" end},
  {"\27%]1337;ReportCellSize=([%d.;]+)\7", "iterm2"},
  {"\27%]1337;ReportCellSize=([%d.;]+)\27\\", "iterm2"},
  {"\27%[6;(%d+;%d+)t", "cell"},
  {"\27%[%?([%d;]*)c", function(found, list) found.attributes = list end},
}

local function read_cell(list)
  local height, width, scale = list:match "^([%d.]+);([%d.]+);?([%d.]*)$"
  height, width, scale = core.tonumber(height), core.tonumber(width), core.tonumber(scale) or 1
  if not height or not width or height * scale < 1 or width * scale < 1 then return nil end
  return {width = math.floor(width * scale + 0.5), height = math.floor(height * scale + 0.5)}
end

local function take(found, answer, pattern, says)
  return (answer:gsub(pattern, function(text)
    if type(says) == "function" then says(found, text) else found[says] = read_cell(text) end
    return ""
  end))
end

--- Reads what came back.
-- @param answer string
-- @return table: protocol= "kitty", "iterm2", "sixel" or nil, cell= {width=, height=} in pixels or
--   nil; and what was typed meanwhile, a string
function M.read(answer)
  local found = {}
  for _, row in ipairs(ANSWERS) do answer = take(found, answer, row[1], row[2]) end
  local has_sixels = (";" .. (found.attributes or "") .. ";"):find ";4;"
  return {
    protocol = found.kitty and "kitty" or found.iterm2 and "iterm2"
      or has_sixels and "sixel" or nil,
    cell = found.cell or found.iterm2, has_answered = found.attributes ~= nil,
  }, answer
end

-- ---- asking ----

local NEAR, FAR = 0.2, 1 -- seconds for an answer, from here and through ssh

--- Puts back what was typed while the terminal was asked; the prompt has a way of its own.
M.unread = core.unread

local known -- what the terminal has said, for the rest of the session

--- What the terminal behind stdin and stdout can draw: as `read` returns it; an empty table if it
-- cannot be asked, now (as input is waiting) or at all.
function M.find()
  if known then return known end
  local function setting(name) return os.getenv(name) or "" end
  local is_inside = setting "TMUX" ~= "" or setting "STY" ~= ""
  local is_far = setting "SSH_CONNECTION" ~= ""
  local answer = core.ask_terminal(M.question(setting "TERM", is_inside), is_far and FAR or NEAR)
  if not answer then return {} end
  local found, typed = M.read(answer)
  if typed ~= "" then M.unread(typed) end
  known = found
  return found
end

--- Forgets what the terminal has said, or takes something as said; for tests.
function M.set(found) known = found end

return M
