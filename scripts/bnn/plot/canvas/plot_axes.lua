--- Axes: their names and ranges, how their tics are written and how far apart they are.
local fail = require "bnn.base.fail"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local number = require "bnn.base.number"
local plot_text = require "bnn.plot.canvas.plot_text"

local M = {}

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
-- the last of them. Nil if there is none.
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

--- The commands of an axis, "x" or "y".
-- @param opts table: as for frame of figure.lua
function M.axis(name, opts)
  local lines = {}
  local label, range = opts[name .. "label"], opts[name .. "range"]
  local is_log, span = opts["log" .. name], range or opts[name .. "span"] or {0, 1}
  if label then
    label = plot_text.wrap(label, plot_text.letters(name, LABEL[name], opts))
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

--- Raises unless a range is nil or two numbers that differ, above 0 on a logarithmic axis.
function M.check_range(what, name, range, is_log)
  if not range then return end
  local wanted = (#range ~= 2 or range[1] == range[2]) and "two numbers that differ"
    or is_log and math.min(range[1], range[2]) <= 0 and "numbers above 0 for a logarithmic axis"
  if wanted then fail("%s: %s: expected %s, got {%s}", what, name, wanted, number.list(range)) end
end

return M
