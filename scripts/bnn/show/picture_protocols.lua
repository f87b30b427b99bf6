--- Pictures as escape sequences: those of kitty and of iTerm2, which take PNG, and sixels.
local base64 = require "bnn.base.base64"
local core = require "bnn.core"

local M = {}

local CHUNK = 4096 -- characters that one sequence of kitty's may have

-- Each is a function of the picture, u8 [h, w] or [h, w, 3], and of the terminal's cell, {width=,
-- height=} in pixels -> the sequence; or nil, message.

--- https://sw.kovidgoyal.net/kitty/graphics-protocol: transmit and display, without an answer.
function M.kitty(picture)
  local png, fault = core.png_encode(picture)
  if not png then return nil, fault end
  local data, parts = base64.encode(png), {}
  for at = 1, #data, CHUNK do
    local keys = at == 1 and "a=T,f=100,q=2," or ""
    local more = at + CHUNK <= #data and 1 or 0
    parts[#parts + 1] = ("\27_G%sm=%d;%s\27\\"):format(keys, more, data:sub(at, at + CHUNK - 1))
  end
  return table.concat(parts)
end

--- https://iterm2.com/documentation-images.html: the width is in cells, as what a pixel is depends
-- on the display.
function M.iterm2(picture, cell)
  local png, fault = core.png_encode(picture)
  if not png then return nil, fault end
  local columns = (picture:size(2) + cell.width - 1) // cell.width
  return ("\27]1337;File=inline=1;size=%d;width=%d;height=auto:%s\7"):format(#png, columns,
    base64.encode(png))
end

function M.sixel(picture) return core.sixel_encode(picture) end

return M
