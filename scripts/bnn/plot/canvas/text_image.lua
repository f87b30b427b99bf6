--- Grey images as text: half-blocks in grey shades for a terminal, plain characters elsewhere.
--
-- An image is a list of rows of numbers from 0 (black) to 1. A half-block shows two rows in one
-- line of text, the upper one as its colour and the lower one as its background.
local core = require "bnn.core"
local strings = require "bnn.base.strings"

local M = {}

local RAMP = " .:-=+*#%@"
local GAP = 1 -- columns between images

local function ascii_cell(top, bottom)
  local i = math.floor((top + bottom) / 2 * (#RAMP - 1) + 0.5) + 1
  return RAMP:sub(i, i)
end

local function colour_256(v) return ("5;%d"):format(232 + math.floor(v * 23 + 0.5)) end

local function colour_24bit(v)
  local level = math.floor(v * 255 + 0.5)
  return ("2;%d;%d;%d"):format(level, level, level)
end

-- A cell in the way of `colour`; colours are only sent when they change.
local function block_cell(colour, state, top, bottom)
  local fore, back = colour(top), colour(bottom)
  local change = ""
  if fore ~= state.fore then change = "\27[38;" .. fore .. "m" end
  if back ~= state.back then change = change .. "\27[48;" .. back .. "m" end
  state.fore, state.back = fore, back
  return change .. "▀"
end

-- Lines of one image.
local function lines_of(image, mode)
  local colour = mode == "24bit" and colour_24bit or mode == "256" and colour_256
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
      for y, line in ipairs(lines_of(images[i], mode)) do
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
