--- gnuplot as a process: what bnn.plot draws with.
--
-- Commands go to its standard input and the picture comes back from its standard output, so there
-- are no temporary files, and no file at all unless gnuplot ended well. Text of the user's only
-- goes in through M.quote and marked noenhanced, so that _ and ^ are what they are. A user's own
-- settings (~/.gnuplot) are not read.
local core = require "bnn.core"
local figure_screen = require "bnn.plot.canvas.figure_screen"
local folders = require "bnn.base.folders"
local number = require "bnn.base.number"
local observer = require "bnn.base.observer"
local strings = require "bnn.base.strings"

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
  return (text:gsub("[\0-\9\11-\31\127]", REPLACEMENT):gsub("\xc2[\x80-\x9f]", REPLACEMENT)
    :gsub("\u{FFFE}", REPLACEMENT):gsub("\u{FFFF}", REPLACEMENT))
end

-- Four octal digits, of which the first is 0, are one byte whatever follows.
local function escaped(text)
  return (text:gsub("[^A-Za-z0-9 ]", function(c) return ("\\0%03o"):format(c:byte()) end))
end

--- Text as a string constant of gnuplot's: whatever it holds, nothing of it is a command.
function M.quote(text) return '"' .. escaped(M.clean(text)) .. '"' end

--- The same for the name of a tic, which gnuplot takes for the format of a number.
function M.quote_tic(text)
  return M.quote(text:gsub("%%", "%%%%"))
end

-- ---- running it ----

local function not_installed(what)
  return nil, ("%s: gnuplot is not installed; Debian's package gnuplot-nox has it: "
    .. "apt-get install gnuplot-nox"):format(what)
end

-- The line in which gnuplot says what is wrong.
local function complaint(errors)
  local last
  for line in errors:gmatch "[^\n]+" do
    if line:find "%S" then last = line:match "^%s*(.-)%s*$" end
  end
  return last or "no message"
end

-- kind -> what a picture of it ends in.
local ends = {svg = "</svg>%s*$", png = "IEND\xaeB`\x82$"}

-- What gnuplot prints for these commands; or nil, message. Its status is 0 even if it could not
-- write all of a picture: only the end of the picture tells.
local function run(what, commands, kind)
  local result, fault, cause = core.run_program({"gnuplot", "-d"}, commands, MOST_SECONDS)
  if cause == "missing" then return not_installed(what) end
  if not result then return nil, ("%s: %s"):format(what, fault) end
  if result.signal then
    return nil, ("%s: gnuplot was killed by signal %d"):format(what, result.signal)
  end
  if result.status == 0 and result.output ~= "" then
    if not kind or result.output:find(ends[kind]) then return result.output end
    return nil, ("%s: gnuplot wrote no more than %d bytes of the picture"):format(what,
      #result.output)
  end
  return nil, ("%s: gnuplot failed: %s"):format(what, complaint(result.errors))
end

-- ---- characters without a font ----

local LATIN = 0x24f -- what all fonts have
local has_font = {} -- character -> whether a font has it, once that has been asked for

-- Whether some font has a character; all do where fontconfig's program is missing.
local function is_drawable(character)
  if has_font[character] == nil then
    local words = {"fc-list", (":charset=%x"):format(utf8.codepoint(character)), "family"}
    local result = core.run_program(words, "", MOST_SECONDS)
    has_font[character] = not result or result.status ~= 0 or result.output ~= ""
  end
  return has_font[character]
end

-- The commands of a PNG, with U+FFFD for characters that no font has: pango draws a box with their
-- number for them, which under pngcairo covers the picture. (An SVG is drawn with its viewer's
-- fonts.)
local function without_missing(commands)
  local missing, seen = {}, {}
  local function shown(character)
    if utf8.codepoint(character) <= LATIN or is_drawable(character) then return nil end
    if not seen[character] then missing[#missing + 1] = character end
    seen[character] = true
    return REPLACEMENT
  end
  local function byte(digits) return string.char(tonumber(digits, 8)) end
  commands = commands:gsub("\\03[0-7][0-7][\\0-7]*", function(octal)
    local text = octal:gsub("\\0([0-7][0-7][0-7])", byte)
    return escaped((text:gsub(utf8.charpattern, shown)))
  end)
  return commands, missing
end

-- ---- pictures ----

local escapes = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;"}

-- The title is what viewers call the picture, in place of "Gnuplot"; edges of bands, which are what
-- is transparent, are smooth, and pixels of images are not. (Text of the user's holds no "<" here,
-- but may hold "]]>", which gnuplot leaves and XML forbids.)
local function finish_svg(svg, title)
  local name = "<title>" .. M.clean(title or ""):gsub("[&<>]", escapes) .. "</title>"
  svg = svg:gsub("<title>Gnuplot</title>", function() return name end, 1):gsub("%]%]>", "]]&gt;")
  svg = svg:gsub("(<g stroke='none') shape%-rendering='crispEdges'(>%s*<polygon [^>]*opacity)",
    "%1%2")
  return (svg:gsub("<image x", "<image style='image-rendering:pixelated' x"))
end

--- Draws a picture.
-- @param kind string: "svg" or "png"
-- @param commands string: everything but the terminal
-- @param opts table: width=, height= in units of 1/96 inch, scale= pixels of a PNG for each,
--   title=; what= messages call it
-- @return string, the bytes of a file; or nil, message
function M.picture(kind, commands, opts)
  local missing = {}
  if kind == "png" then commands, missing = without_missing(commands) end
  local picture, fault = run(opts.what, pictures[kind](opts) .. commands, kind)
  if not picture then return nil, fault end
  if #missing > 0 then
    local text = "%s: no installed font has %s; drawn as %s"
    strings.notice(text:format(opts.what, table.concat(missing, " "), REPLACEMENT))
  end
  return kind == "svg" and finish_svg(picture, opts.title) or picture
end

--- Draws into a file, which is written atomically, or on the screen.
-- @param path string that ends in .svg or .png
-- @param commands string: everything but the terminal
-- @param opts table: width=, height=, scale=, title= as for `picture`
-- @return true; or nil, message
function M.draw(path, commands, opts)
  local picture, fault = M.picture(M.kind_of(path), commands, {
    width = opts.width, height = opts.height, scale = opts.scale, title = opts.title,
    what = figure_screen.is_path(path) and "a plot" or path,
  })
  if not picture then return nil, fault end
  if figure_screen.is_path(path) then return figure_screen.show_png(picture) end
  local ok, lack = folders.make_above(path) -- no earlier: where nothing is drawn nothing is left
  if not ok then return nil, lack end
  local saved, why = core.save_bytes(path, picture)
  if saved then observer.tell("figure", path) end
  return saved, why
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
  return strings.shown(text, true) .. "\n"
end

return M
