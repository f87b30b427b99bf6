--- gnuplot as a process: what bnn.plot draws with.
--
-- Commands go to its standard input and the picture comes back from its standard output, so there
-- are no temporary files, and no file at all unless gnuplot ended well. Text of the user's only
-- goes in through M.quote and marked noenhanced, so that _ and ^ are what they are. A user's own
-- settings (~/.gnuplot) are not read.
local core = require "bnn.core"
local folders = require "bnn.folders"
local number = require "bnn.number"
local strings = require "bnn.strings"

local M = {}

local MOST_SECONDS = 300
local REPLACEMENT = "\u{FFFD}"

-- ending -> the lines that set the terminal. pngcairo counts fonts in points of 4/3 pixels, and
-- draws smaller marks.
local pictures = {}

function pictures.svg(opts)
  return ([[
set title font ",15"
set terminal svg size %d,%d font "sans-serif,14" enhanced rounded background "white"
]]):format(opts.width, opts.height)
end

function pictures.png(opts)
  local scale = opts.scale
  local width, height = opts.width * scale, opts.height * scale
  return number.format([[
set title font ",11.25"
set terminal pngcairo size %.0f,%.0f font "sans-serif,10.5" enhanced rounded background "white" \
  fontscale %g linewidth %g pointscale %g dashlength %g
]], width, height, scale, scale, scale * 1.3, scale)
end

--- The kind of picture that a path asks for by its ending, "svg" or "png"; nil when it is another.
function M.kind_of(path)
  local ending = strings.lower(path):match "%.(%w+)$"
  return pictures[ending] and ending
end

-- The first position from i on where text is not UTF-8.
local function bad_byte(text, i)
  local _, position = utf8.len(text, i)
  return position
end

--- A font of so many units, for commands that draw into a path.
function M.font(path, size)
  return number.format('font ",%g"', M.kind_of(path) == "png" and size * 0.75 or size)
end

--- Text as a picture can hold it: UTF-8 without control characters but for newlines; what is
-- neither shows as U+FFFD.
function M.clean(text)
  local parts, i = {}, 1
  while i <= #text do
    local bad = bad_byte(text, i)
    parts[#parts + 1] = text:sub(i, (bad or #text + 1) - 1)
    if bad then parts[#parts + 1] = REPLACEMENT end
    i = bad and bad + 1 or #text + 1
  end
  text = table.concat(parts):gsub("\r\n?", "\n"):gsub("\t", " ")
  return (text:gsub("[\0-\9\11-\31\127]", REPLACEMENT):gsub("\u{FFFE}", REPLACEMENT)
    :gsub("\u{FFFF}", REPLACEMENT))
end

--- Text as a string constant of gnuplot's: whatever it holds, nothing of it is a command. (Four
-- octal digits, of which the first is 0, are one byte whatever follows.)
function M.quote(text)
  local function octal(c) return ("\\0%03o"):format(c:byte()) end
  return '"' .. M.clean(text):gsub("[^A-Za-z0-9 ]", octal) .. '"'
end

-- ---- running it ----

local function absent(what)
  return nil, ("%s: gnuplot is not installed; Debian's package gnuplot-nox has it: "
    .. "apt-get install gnuplot-nox"):format(what)
end

-- The line in which gnuplot says what is wrong.
local function complaint(errors)
  local last
  for line in errors:gmatch "[^\n]+" do
    if line:find "%S" then last = line:match "^%s*(.-)%s*$" end
  end
  return last or "it did not say why"
end

-- What gnuplot prints for these commands; or nil, message.
local function run(what, commands)
  local result, fault, cause = core.run_program({"gnuplot", "-d"}, commands, MOST_SECONDS)
  if cause == "missing" then return absent(what) end
  if not result then return nil, ("%s: %s"):format(what, fault) end
  if result.signal then
    return nil, ("%s: gnuplot was killed by signal %d"):format(what, result.signal)
  end
  if result.status == 0 and result.output ~= "" then return result.output end
  return nil, ("%s: gnuplot failed: %s"):format(what, complaint(result.errors))
end

-- ---- pictures ----

local escapes = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;"}

-- The title is what viewers call the picture, in place of "Gnuplot"; edges of bands, which are what
-- is transparent, are smooth, and pixels of images are not. (Text of the user's holds no "<" here.)
local function finish_svg(svg, title)
  local name = "<title>" .. M.clean(title or ""):gsub("[&<>]", escapes) .. "</title>"
  svg = svg:gsub("<title>Gnuplot</title>", function() return name end, 1)
  svg = svg:gsub("(<g stroke='none') shape%-rendering='crispEdges'(>%s*<polygon [^>]*opacity)",
    "%1%2")
  return (svg:gsub("<image x", "<image style='image-rendering:pixelated' x"))
end

--- Draws into a file, whole or not at all.
-- @param path string that ends in .svg or .png
-- @param commands string: everything but the terminal
-- @param opts table: width=, height= in units of 1/96 inch, scale= pixels of a PNG for each, title=
-- @return true; or nil, message
function M.draw(path, commands, opts)
  local kind = M.kind_of(path)
  local picture, fault = run(path, pictures[kind](opts) .. commands)
  if not picture then return nil, fault end
  local ok, lack = folders.make_above(path) -- no earlier: where nothing is drawn nothing is left
  if not ok then return nil, lack end
  if kind == "svg" then picture = finish_svg(picture, opts.title) end
  return core.save_bytes(path, picture)
end

--- Draws in characters.
-- @param commands string
-- @param opts table: width=, height= in characters
-- @return string; or nil, message
function M.text(commands, opts)
  local terminal = "set terminal dumb noenhanced mono size %d,%d\n"
  local text, fault = run("a plot", terminal:format(opts.width, opts.height) .. commands)
  if not text then return nil, fault end
  text = text:gsub("\f", ""):gsub("[ \t]+\n", "\n"):gsub("^\n+", ""):gsub("%s+$", "")
  return text .. "\n"
end

return M
