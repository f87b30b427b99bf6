--- Images as text: half-blocks in colours or grey for a terminal, plain characters elsewhere.
--
-- An image is a list of rows of pixels: numbers from 0 (black) to 1, or tables {r, g, b} of such. A
-- half-block shows two rows in one line of text, the upper one as its colour and the lower one as
-- its background.
local core = require "bnn.core"
local strings = require "bnn.base.strings"

local M = {}

local RAMP = " .:-=+*#%@"
local GAP = 1 -- columns between images

-- How bright a pixel is, by Rec. 601 as everywhere in the library.
local function brightness(v)
  return type(v) == "number" and v or 0.299 * v[1] + 0.587 * v[2] + 0.114 * v[3]
end

local function ascii_cell(top, bottom)
  local mean = (brightness(top) + brightness(bottom)) / 2
  local i = math.floor(mean * (#RAMP - 1) + 0.5) + 1
  return RAMP:sub(i, i)
end

local function level_of(v, most) return math.floor(v * most + 0.5) end

-- xterm's 256 colours: a cube of six levels from 16, whose first is 0 and whose others go evenly
-- from 95 to 255, and 24 greys from 232.
local function cube_level(v)
  return v < 0.187 and 0 or math.max(level_of((v * 255 - 55) / 40, 1), 1)
end

local function colour_256(v)
  if type(v) == "number" then return ("5;%d"):format(232 + level_of(v, 23)) end
  if v[1] == v[2] and v[2] == v[3] then return colour_256(v[1]) end
  return ("5;%d"):format(16 + 36 * cube_level(v[1]) + 6 * cube_level(v[2]) + cube_level(v[3]))
end

local function colour_24bit(v)
  if type(v) == "number" then v = {v, v, v} end
  return ("2;%d;%d;%d"):format(level_of(v[1], 255), level_of(v[2], 255), level_of(v[3], 255))
end

local COLOURS = {["24bit"] = colour_24bit, ["256"] = colour_256}

--- A pixel's colour as the end of SGR's 38 and 48: "2;255;0;0", "5;196".
-- @param mode string: "24bit" or "256"
function M.colour(v, mode) return COLOURS[mode](v) end

-- A cell in the way of `colour`; colours are only sent when they change.
local function block_cell(colour, state, top, bottom)
  local fore, back = colour(top), colour(bottom)
  local change = ""
  if fore ~= state.fore then change = "\27[38;" .. fore .. "m" end
  if back ~= state.back then change = change .. "\27[48;" .. back .. "m" end
  state.fore, state.back = fore, back
  return change .. "▀"
end

--- The lines of one image.
-- @param image list of rows of pixels
-- @param mode string: "24bit", "256" or "none"
-- @return list of strings, none of which changes the colours of what follows
function M.lines(image, mode)
  local colour = COLOURS[mode]
  local lines = {}
  for y = 1, #image, 2 do
    local cells, state = {}, {}
    for x = 1, #image[y] do
      local top, bottom = image[y][x], image[y + 1] and image[y + 1][x] or 0
      cells[x] = colour and block_cell(colour, state, top, bottom) or ascii_cell(top, bottom)
    end
    lines[#lines + 1] = table.concat(cells) .. (colour and "\27[0m" or "")
  end
  return lines
end

-- Text in as many columns, one for each letter of UTF-8.
local function fit(text, width)
  local letters = utf8.len(text)
  if letters and letters > width then
    return text:sub(1, utf8.offset(text, width + 1) - 1)
  end
  text = letters and text or text:sub(1, width)
  return text .. (" "):rep(width - (letters or #text))
end

--- How the standard output shows grey: "24bit", "256" or "none" (a pipe, NO_COLOR, a plain
-- terminal, or a character set that lacks half-blocks).
function M.mode()
  local function setting(name) return os.getenv(name) or "" end
  local locale = ""
  for _, name in ipairs{"LC_ALL", "LC_CTYPE", "LANG"} do
    if locale == "" then locale = setting(name) end
  end
  local plain = setting "NO_COLOR" ~= "" or setting "TERM" == "dumb" or setting "TERM" == ""
  local is_utf8 = strings.lower(locale):find "utf%-?8"
  if plain or not core.terminal "stdout" or not is_utf8 then return "none" end
  local depth = setting "COLORTERM"
  return (depth == "truecolor" or depth == "24bit") and "24bit" or "256"
end

--- Images of one size side by side, as many as fit, each under its title.
-- @param images list of images
-- @param titles list of strings
-- @param mode string: "24bit", "256" or "none"
-- @param columns integer: the width to fill
-- @return string
function M.grid(images, titles, mode, columns)
  local width = #images[1][1]
  local across = math.max(1, (columns + GAP) // (width + GAP))
  local out = {}
  for first = 1, #images, across do
    local last = math.min(first + across - 1, #images)
    local heads, rows = {}, {}
    for i = first, last do
      heads[#heads + 1] = fit(titles[i], width)
      for y, line in ipairs(M.lines(images[i], mode)) do
        rows[y] = (rows[y] and rows[y] .. (" "):rep(GAP) or "") .. line
      end
    end
    out[#out + 1] = (table.concat(heads, (" "):rep(GAP)):gsub("%s+$", ""))
    for _, row in ipairs(rows) do
      out[#out + 1] = mode == "none" and row:gsub("%s+$", "") or row
    end
  end
  return table.concat(out, "\n") .. "\n"
end

return M
