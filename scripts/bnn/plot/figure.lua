--- What the figures of bnn.plot share: columns of numbers and their checks, colours, axes, legend,
-- and where the drawing goes.
--
-- Functions that check take the `level` at which what is wrong is raised, as for `error` when the
-- caller calls it.
local core = require "bnn.core"
local gnuplot = require "bnn.plot.gnuplot"
local nearest = require "bnn.base.nearest"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

--- Raises a formatted text at a level.
function M.fail(level, text, ...) error(strings.message(text, ...), level + 1) end
local fail = M.fail

--- What errors call series i: "bnn.plot.lines: series 2 (mean)".
function M.series_name(what, given, i)
  local label = type(given.label) == "string" and (" (%s)"):format(given.label) or ""
  return ("%s: series %d%s"):format(what, i, label)
end

-- ---- columns ----

--- The shape of a column as text: "[5]", "[5, 1]"; of a list its length.
function M.column_shape(v) return shapes.text(type(v) == "userdata" and v or {#v}) end

-- Whether all elements lie along one axis.
local function is_vector(x)
  local most = 0
  for i = 1, x:dim() do most = math.max(most, x:size(i)) end
  return x:dim() > 0 and most == x:numel()
end

local function values_of(what, name, v, level)
  if type(v) == "userdata" then
    if not is_vector(v) then
      fail(level + 1, "%s: %s is %s, wanted [n]", what, name, M.column_shape(v))
    end
    return v:contiguous():view(v:numel()):totable()
  end
  if #v == 0 and next(v) ~= nil then
    fail(level + 1, "%s: %s is a table of named entries, a tensor or a list is wanted", what, name)
  end
  for i = 1, #v do
    if type(v[i]) ~= "number" then
      fail(level + 1, "%s: %s[%d] is a %s, a number is wanted", what, name, i, type(v[i]))
    end
  end
  return v
end

--- The kind of a column in an option table.
M.COLUMN = "tensor|table"

--- A column from a tensor [n] (or [n, 1]) or a list: {name=, given=, values= a list}.
function M.column(what, name, v, level)
  return {name = name, given = v, values = values_of(what, name, v, level + 1)}
end

--- 1, 2, ... as a column beside another.
function M.count_up(like)
  local x = {}
  for i = 1, #like.values do x[i] = i end
  return {name = "x", given = x, values = x}
end

--- Raises unless all columns are as long as the first.
function M.check_lengths(what, columns, level)
  local first = columns[1]
  for _, c in ipairs(columns) do
    if #c.values ~= #first.values then
      fail(level + 1, "%s: %s is %s, %s is %s", what, first.name,
        M.column_shape(first.given), c.name, M.column_shape(c.given))
    end
  end
end

-- ---- text ----

--- Text in lines of at most so many letters, broken where there are spaces; a word that is longer
-- stays whole.
function M.wrap(text, letters)
  local lines = {}
  for paragraph in (text .. "\n"):gmatch "(.-)\n" do
    local line, size = "", 0
    for gap, word in paragraph:gmatch "( *)([^ ]*)" do
      local more = utf8.len(gap .. word) or #gap + #word
      if size > 0 and #word > 0 and size + more > letters then
        lines[#lines + 1] = line
        line, size = word, more - #gap
      else
        line, size = line .. gap .. word, size + more
      end
    end
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n")
end

local WIDTH, HEIGHT = 640, 400
local LETTER = 7.8 -- the mean width of a letter, in the units of a picture

--- The width of a figure that is drawn into a path.
function M.width(opts) return opts.width or WIDTH end

--- How many letters stand side by side in a share of the width ("x") or the height ("y").
function M.letters(name, share, opts)
  local size = name == "x" and (opts.width or opts.path and WIDTH or core.terminal "stdout" or 80)
    or opts.height or opts.path and HEIGHT or 24
  return math.max(math.floor(size * share / (opts.path and LETTER or 1)), 1)
end

-- ---- colours ----

--- The colours by name: those of Okabe and Ito, which the colour-blind can tell apart, and a grey.
M.colours = {
  blue = "#0072b2", orange = "#e69f00", green = "#009e73", vermillion = "#d55e00",
  purple = "#cc79a7", sky = "#56b4e9", black = "#000000", yellow = "#f0e442", grey = "#7f7f7f",
}

-- Neighbours differ in grey as well; yellow, which is hardly seen there, has no turn. What is
-- in-distribution comes first, and is blue.
local TURNS = {"blue", "orange", "green", "vermillion", "purple", "sky", "black", "grey"}

--- A colour as gnuplot wants it: one by name, "#rrggbb", or (nil) that of a turn.
function M.colour(what, colour, turn, level)
  if not colour then return M.colours[TURNS[(turn - 1) % #TURNS + 1]] end
  local known = M.colours[colour] or colour:match "^#%x%x%x%x%x%x$"
  if known then return known end
  local names = options.sorted_names(M.colours)
  local near = nearest.find(colour, names)
  fail(level + 1, "%s: colour = %q: %s#rrggbb or one of %s is wanted", what, colour,
    near and ("did you mean '%s'? "):format(near) or "", table.concat(names, ", "))
end

-- ---- what series look like ----
--
-- Series differ in black and white as well: lines by their dashes, points by their marks, areas by
-- their hatching.

local DASHES = {"", "(9,4)", "(2,3)", "(9,3,2,3)", "(5,3)", "(9,3,2,3,2,3)", "(4,6)", "(14,4)"}
local MARKS = {7, 4, 9, 12, 11, 6, 5, 8} -- a filled circle, an open square, a filled triangle, ...
local HATCHES = {false, 4, 5, 1, 6, 2, 7, false} -- gnuplot's patterns; false: plain

local function in_turn(list, turn) return list[(turn - 1) % #list + 1] end

--- How a line is dashed in its turn, as an option of gnuplot's; the first is not.
function M.dashes(turn)
  local dashes = in_turn(DASHES, turn)
  return dashes ~= "" and " dt " .. dashes or ""
end

--- The number of a mark.
function M.mark(turn) return in_turn(MARKS, turn) end

--- How an area is filled: evenly, of so much opacity, or hatched.
function M.fill(turn, opacity)
  local hatch = in_turn(HATCHES, turn)
  return hatch and ("fs transparent pattern %d"):format(hatch)
    or number.format("fs transparent solid %g", opacity)
end

--- The turn of each series: its label's place in an order, and behind that, or without one, as they
-- come.
-- @param series list of tables, label= string or nil
-- @param order list of strings, or nil
function M.turns(series, order)
  local places, turns, later = {}, {}, order and #order or 0
  for i, label in ipairs(order or {}) do places[label] = places[label] or i end
  for i, s in ipairs(series) do
    local place = places[s.label or ""]
    if not place then later = later + 1 end
    turns[i] = place or later
  end
  return turns
end

-- ---- data ----

local MOST = 1e300 -- gnuplot takes what is greater for undefined

--- Whether a number has a place on an axis.
function M.is_drawable(v, is_log) return math.abs(v) < MOST and not (is_log and v <= 0) end

--- A block of data, and how many rows it has; where a value cannot be drawn there is an empty
-- line, which parts a line or a band.
-- @param name string
-- @param columns list of lists: x first, the others along y
-- @param log table: x=, y= whether that axis is one of logarithms
function M.block(name, columns, log)
  local rows, count, parted = {("$%s << EOD"):format(name)}, 0, false
  for i = 1, #columns[1] do
    local cells, good = {}, true
    for k, column in ipairs(columns) do
      good = good and M.is_drawable(column[i], k == 1 and log.x or k > 1 and log.y)
      cells[k] = number.format("%.12g", column[i])
    end
    if good then
      if parted and count > 0 then rows[#rows + 1] = "" end
      rows[#rows + 1], count = table.concat(cells, " "), count + 1
    end
    parted = not good
  end
  rows[#rows + 1] = "EOD\n"
  return table.concat(rows, "\n"), count
end

local LEGEND = {bottom = 0.8, right = 0.25, none = 1} -- of the width, for an entry of the legend

local function wrap_entry(label, opts)
  return M.wrap(label, M.letters("x", LEGEND[opts.legend], opts))
end

--- An item's entry in the legend.
function M.titled(label, opts)
  local title = label and label ~= "" and gnuplot.quote(wrap_entry(label, opts))
  return title and ("title %s noenhanced"):format(title) or "notitle"
end

--- How many lines the longest of some texts has.
function M.most_lines(texts)
  local most = 1
  for _, text in ipairs(texts) do most = math.max(most, 1 + select(2, text:gsub("\n", ""))) end
  return most
end

local function widest(texts)
  local most = 0
  for _, text in ipairs(texts) do most = math.max(most, utf8.len(text) or #text) end
  return most
end

-- What gives each entry of the legend the lines that the longest has, and all of them the width of
-- the widest line, where gnuplot takes that of all lines in a row.
local function entry_spacing(opts)
  local labels, texts, lines = opts.entries or {}, {}, {}
  for i, label in ipairs(labels) do
    texts[i] = wrap_entry(label, opts)
    for line in texts[i]:gmatch "[^\n]+" do lines[#lines + 1] = line end
  end
  local most = M.most_lines(texts)
  return most == 1 and "" or ("set key spacing %d width %d"):format(most,
    widest(lines) - widest(texts))
end

-- ---- axes ----

M.INK, M.RULE, M.GRID = "#333333", "#666666", "#e4e4e4"

-- Of a picture; text has neither colours nor a grid.
local look = table.concat({
  ("set border 3 lc rgb '%s'"):format(M.INK),
  "set minussign",
  ("set tics nomirror out scale 0.5 textcolor rgb '%s'"):format(M.INK),
  ("set grid lt 1 lw 0.8 lc rgb '%s'"):format(M.GRID),
  "set key Left reverse samplen 2",
}, "\n")

local legends = {
  bottom = "set key bmargin center horizontal height 1",
  right = "set key rmargin top vertical",
  none = "unset key",
}

-- 1, 2, 5, 10, ... within a range: the tics of logarithms over less than two decades, where powers
-- of ten alone would be too few.
local function log_tics(from, to)
  local tics = {}
  for power = math.floor(math.log(from, 10)), math.ceil(math.log(to, 10)) do
    for _, digit in ipairs{1, 2, 5} do
      local tic = digit * 10.0 ^ power
      if tic >= from and tic <= to then tics[#tics + 1] = number.format("%.12g", tic) end
    end
  end
  return table.concat(tics, ", ")
end

local function log_axis(name, range, is_text)
  local lines = {("set logscale %s"):format(name)}
  local from, to = table.unpack(range or {1, math.huge})
  if from > to then from, to = to, from end
  if to / from < 100 then
    lines[2] = ("set %stics (%s)"):format(name, log_tics(from, to))
  elseif not is_text then
    lines[2] = ("set format %s '10^{%%T}'"):format(name)
  end
  return table.concat(lines, "\n")
end

--- Gives axes without anything on them a range all the same.
function M.fill_ranges(opts)
  opts.xrange = opts.xrange or opts.logx and {1, 10} or {0, 1}
  opts.yrange = opts.yrange or opts.logy and {1, 10} or {0, 1}
end

local DIGITS, MOST_DIGITS, MOST_TICS = 6, 14, 8
local LETTERS = 6 -- of the last tic along x that the usual margin has room for

-- How many digits tell neighbours among the tics over least..most apart.
local function digits_over(least, most)
  if least == most then return DIGITS end
  local size = math.max(math.abs(least), math.abs(most))
  local needed = math.ceil(math.log(size / (most - least), 10)) + 2
  return math.min(math.max(needed, DIGITS), MOST_DIGITS)
end

-- Widths of a letter of a tic and of the gap between two, in pixels and in characters, and the
-- share of the width that the axis has.
local PICTURE, TEXT = {letter = 8.5, gap = 14, width = 640}, {letter = 1, gap = 2, width = 80}
local SHARE = {bottom = 0.85, none = 0.85, right = 0.7}

-- The least of 1, 2, 5, 10, ... times a power of ten at which tics over least..most keep limits:
-- tics= the most of them, room= for letter= and gap= each, is_whole= at least 1. And the letters of
-- the last of them. Nil where there is none.
local function step_over(least, most, digits, limits)
  local power = 10.0 ^ math.floor(math.log((most - least) / 10, 10))
  for _, factor in ipairs{1, 2, 5, 10, 20, 50, 100} do
    local step, wide, count, last = factor * power, 0, 0, 0
    if step > 0 and (step >= 1 or not limits.is_whole) then
      for k = math.ceil(least / step), math.floor(math.min(most / step, least / step + 1000)) do
        local text = number.format("%." .. digits .. "g", k * step)
        wide, count, last = wide + #text * limits.letter + limits.gap, count + 1, #text
      end
      if wide <= limits.room and count <= limits.tics then return step, last end
    end
  end
end

local LOW = 300 -- a height in which gnuplot puts one tic over another

-- What says how far apart tics along y are, where gnuplot does not know.
local function y_step(least, most, digits, opts)
  if not opts.path or (opts.height or LOW) >= LOW then return "" end
  local limits = {tics = math.max(opts.height // 40, 2), room = 0, letter = 0, gap = 0}
  local step = step_over(least, most, digits, limits)
  return step and number.format("\nset ytics %.12g", step) or ""
end

-- The same along x; and the margin on its right, where the last tic needs more of it.
local function x_step(least, most, digits, opts)
  local sizes = opts.path and PICTURE or TEXT
  local step, letters = step_over(least, most, digits, {
    tics = MOST_TICS, room = (opts.width or sizes.width) * SHARE[opts.legend],
    letter = sizes.letter, gap = sizes.gap, is_whole = opts.is_whole,
  })
  if not step then return "" end
  local is_wide = letters > LETTERS and opts.legend ~= "right" -- which has room beside the axis
  local margin = is_wide and number.format("\nset rmargin %g", letters / 2 + 1) or ""
  return number.format("\nset xtics %.12g", step) .. margin
end

--- What says how tics over a span {from, to} are written; also its ends, in order, and the digits.
function M.tic_format(name, span, is_picture)
  local least, most = math.min(span[1], span[2]), math.max(span[1], span[2])
  local digits = digits_over(least, most)
  local apart = name == "y" and not is_picture and "  " or "" -- of text, or ylabel meets the tics
  local text = ("set format %s '%s%%.%d%s'"):format(name, apart, digits, is_picture and "h" or "g")
  return text, least, most, digits
end

-- How tics over a span are written and how far apart they are. (Left alone gnuplot takes 6 digits,
-- or in a narrow range as many as it likes, one label over the next.)
local function linear_axis(name, span, opts)
  local format, least, most, digits = M.tic_format(name, span, opts.path)
  if least == most then return format end
  return format .. (name == "x" and x_step or y_step)(least, most, digits, opts)
end

local LABEL = {x = 0.9, y = 0.7} -- of the width and the height, for the name of an axis

local function axis(name, opts)
  local lines = {}
  local label, range = opts[name .. "label"], opts[name .. "range"]
  local is_log, span = opts["log" .. name], range or opts[name .. "span"] or {0, 1}
  if label then
    label = M.wrap(label, M.letters(name, LABEL[name], opts))
    lines[1] = ("set %slabel %s noenhanced"):format(name, gnuplot.quote(label))
  end
  if is_log then
    lines[#lines + 1] = log_axis(name, range, not opts.path)
  else
    lines[#lines + 1] = linear_axis(name, span, opts)
  end
  if range then
    lines[#lines + 1] = number.format("set %srange [%.12g:%.12g]", name, range[1], range[2])
  end
  return table.concat(lines, "\n")
end

--- The options of every figure with axes, for options.check; `more` are added.
function M.spec(more)
  local size = {type = "integer", min = 5, max = 10000}
  local range = {type = "number", list = true}
  local spec = {
    title = "string", xlabel = "string", ylabel = "string", xrange = range, yrange = range,
    logx = "boolean", logy = "boolean",
    legend = {type = "string", default = "bottom", choices = {"bottom", "right", "none"}},
    path = "string", out = "userdata", width = size, height = size,
    order = {type = "string", list = true},
    scale = {type = "number", above = 0, max = 10, default = 2},
  }
  for name, kind in pairs(more) do spec[name] = kind end
  return spec
end

--- Raises unless a range is nil or two numbers that differ, above 0 for logarithms.
function M.check_range(what, name, range, is_log, level)
  if not range then return end
  local text = number.list(range)
  if #range ~= 2 or range[1] == range[2] then
    fail(level + 1, "%s: %s = {%s}: two numbers that differ are wanted", what, name, text)
  end
  if is_log and math.min(range[1], range[2]) <= 0 then
    fail(level + 1, "%s: %s = {%s}: an axis of logarithms begins above 0", what, name, text)
  end
end

--- Raises where options of M.spec do not go together.
function M.check(what, opts, level)
  if opts.path and not gnuplot.kind_of(opts.path) then
    local text = "%s: path = %q: a name that ends in .svg or .png is wanted"
    fail(level + 1, text, what, opts.path)
  end
  if opts.path and opts.out then fail(level + 1, "%s: either path or out is wanted", what) end
  M.check_range(what, "xrange", opts.xrange, opts.logx, level + 1)
  M.check_range(what, "yrange", opts.yrange, opts.logy, level + 1)
end

-- ---- images ----

--- x as [n, h, w]; raises unless it is that or [n, 1, h, w], with pixels.
function M.images(what, x, level)
  local shape = shapes.text(x)
  if x:dim() == 4 and x:size(2) == 1 then x = x:select(2, 1) end
  if x:dim() ~= 3 then
    fail(level + 1, "%s: x is %s, wanted [n, h, w] or [n, 1, h, w]", what, shape)
  end
  if x:numel() == 0 then fail(level + 1, "%s: x is %s: there are no pixels", what, shape) end
  return x
end

--- Each element of x [h, w] as a square of `scale` by `scale`.
function M.enlarge(x, scale)
  local h, w = x:size(1), x:size(2)
  local each = x:contiguous():view(h, 1, w, 1):broadcast_to(h, scale, w, scale)
  return each:contiguous():view(h * scale, w * scale)
end

--- How many pixels each way stand for one where gnuplot puts an image of `most` pixels into a path:
-- viewers of SVG blur where two meet.
function M.repeats(path, most)
  return gnuplot.kind_of(path) == "svg" and math.ceil(256 / most) or 1
end

--- What plots a block that is a matrix in colours, each element of which stands k times each way.
-- @param x string, y string: formats of a column and a row, counted from 0, as places on the axes
function M.image_item(name, k, x, y)
  local column, row = ("(($1+0.5)/%d-0.5)"):format(k), ("(($2+0.5)/%d-0.5)"):format(k)
  return ("plot $%s matrix using (%s):(%s):3 with image\n"):format(name, x:format(column),
    y:format(row))
end

-- ---- drawing ----

--- The commands that come before a figure's own: axes, legend, title.
-- @param opts table: checked options of M.spec; xspan=, yspan= {least, most} of what is drawn along
--   an axis without a range, is_whole= whether along x that is whole numbers alone;
--   entries= the labels in the legend
function M.frame(opts)
  local lines = {"set encoding utf8", opts.path and look or ""}
  if opts.title then
    local title = M.wrap(opts.title, M.letters("x", 0.9, opts))
    lines[#lines + 1] = ("set title %s noenhanced"):format(gnuplot.quote(title))
  end
  lines[#lines + 1] = axis("x", opts)
  lines[#lines + 1] = axis("y", opts)
  lines[#lines + 1] = legends[opts.legend]
  if not opts.path and opts.legend ~= "none" then lines[#lines + 1] = "set key width 2" end
  lines[#lines + 1] = entry_spacing(opts)
  return table.concat(lines, "\n") .. "\n"
end

--- Draws where the options say: into the file, or as text.
-- @return true, or the text; or nil, message
function M.render(commands, opts)
  if opts.path then
    return gnuplot.draw(opts.path, commands, {
      width = opts.width or WIDTH, height = opts.height or HEIGHT, scale = opts.scale,
      title = opts.title,
    })
  end
  local text, fault = gnuplot.text(commands, {
    width = opts.width or core.terminal "stdout" or 80, height = opts.height or 24,
  })
  if not text then return nil, fault end
  if opts.out then opts.out:write(text) end
  return text
end

return M
