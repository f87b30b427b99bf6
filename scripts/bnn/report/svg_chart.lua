--- Charts of lines with bands as SVG within a page, in the colours of its scheme, light or dark.
--
-- bnn.plot draws with gnuplot, whose SVG has colours of its own and may be absent; these are small,
-- follow the page's style sheet, and are as readable on a telephone as on a desk: they are about as
-- wide as they are drawn, so that letters keep their size.
local downsample = require "bnn.plot.canvas.downsample"
local html = require "bnn.html.html"
local number = require "bnn.base.number"

local M = {}

local WIDTH, HEIGHT = 360, 216
local TOP, RIGHT, BOTTOM = 8, 14, 34
local LETTER = 6.3 -- the width of a digit at 11 units
local TICS_X, TICS_Y = 4, 6
local COLUMNS = 60 -- along x, to which long curves are thinned
local LOG_RATIO = 300 -- of the greatest to the least value, from which on y is logarithmic

--- How many series a chart can tell apart, by colour and dashes.
M.SERIES_MOST = 8

local element = html.element

local function is_finite(v) return v == v and v ~= math.huge and v ~= -math.huge end

-- ---- axes ----

local function widen(span, v)
  if not v or not is_finite(v) then return end
  span.least, span.most = math.min(span.least, v), math.max(span.most, v)
end

-- The least and the greatest x and y of all series, as M.lines has thinned them.
local function spans_of(series)
  local x, y = {least = math.huge, most = -math.huge}, {least = math.huge, most = -math.huge}
  local function add(at, values)
    for i, v in ipairs(values) do
      if is_finite(v) then
        widen(x, at[i])
        widen(y, v)
      end
    end
  end
  for _, s in ipairs(series) do
    add(s.line[1], s.line[2])
    for k = 2, s.band and 3 or 0 do add(s.band[1], s.band[k]) end
  end
  return x, y
end

-- The least of 1, 2, 5, 10, ... times a power of ten with at most so many steps over a span.
local function step_over(least, most, count)
  local rough = (most - least) / count
  local power = 10.0 ^ math.floor(math.log(rough, 10))
  for _, factor in ipairs{1, 2, 5, 10} do
    if factor * power >= rough * 0.999 then return factor * power end
  end
  return 10 * power
end

-- A tic as text: digits enough for the step, thousands and millions short.
local function tic_text(v, step)
  for _, unit in ipairs{{1e9, "G"}, {1e6, "M"}, {1e4, "k"}} do
    local size = unit[2] == "k" and 1e3 or unit[1]
    if math.abs(v) >= unit[1] and step >= size / 10 then
      return number.format("%.4g", v / size) .. unit[2]
    end
  end
  if step < 1e-4 or math.abs(v) >= 1e7 then return number.format("%.4g", v) end
  return number.format("%." .. math.max(0, math.ceil(-math.log(step, 10) - 1e-9)) .. "f", v)
end

local function linear_axis(span, count, is_whole)
  local least, most = span.least, span.most
  if most - least <= math.abs(most) * 1e-12 then
    local room = math.max(math.abs(most) * 0.1, 1e-9)
    least, most = least - room, most + room
  end
  local step = step_over(least, most, count)
  if is_whole then step = math.max(step, 1) end
  local tics = {}
  for k = math.ceil(least / step - 1e-9), math.floor(most / step + 1e-9) do
    tics[#tics + 1] = {at = k * step, text = tic_text(k * step, step)}
  end
  return {least = least, most = most, tics = tics, place = function(v)
    return (v - least) / (most - least)
  end}
end

local function log_axis(span)
  local least, most = math.log(span.least, 10), math.log(span.most, 10)
  local tics, apart = {}, math.ceil((most - least) / TICS_Y)
  for power = math.ceil(least - 1e-9), math.floor(most + 1e-9), apart do
    local is_plain = power >= -3 and power <= 3
    tics[#tics + 1] = {at = 10.0 ^ power, text = is_plain and number.format("%g", 10.0 ^ power)
      or number.format("1e%d", power)}
  end
  return {is_log = true, tics = tics, place = function(v)
    return (math.log(v, 10) - least) / (most - least)
  end}
end

local function y_axis(span)
  local is_log = span.least > 0 and span.most / span.least >= LOG_RATIO
  return is_log and log_axis(span) or linear_axis(span, TICS_Y)
end

-- Where values are on the picture: x(v), y(v), left= of the axis.
local function frame_of(series)
  local xspan, yspan = spans_of(series)
  local xs, ys = linear_axis(xspan, TICS_X, true), y_axis(yspan)
  local letters = 1
  for _, tic in ipairs(ys.tics) do letters = math.max(letters, utf8.len(tic.text)) end
  local left = letters * LETTER + 12
  local width, height = WIDTH - RIGHT - left, HEIGHT - TOP - BOTTOM
  return {
    xtics = xs.tics, ytics = ys.tics, left = left, is_log = ys.is_log,
    x = function(v) return left + xs.place(v) * width end,
    y = function(v)
      if ys.is_log and v <= 0 then return HEIGHT - BOTTOM end -- an edge of a band
      return math.min(TOP + (1 - ys.place(v)) * height, HEIGHT - BOTTOM)
    end,
  }
end

local function draw_axes(frame)
  local parts = {}
  for _, tic in ipairs(frame.ytics) do
    local y = number.format("%.1f", frame.y(tic.at))
    parts[#parts + 1] = element("line", {class = "grid", x1 = frame.left, x2 = WIDTH - RIGHT,
                                         y1 = y, y2 = y})
    parts[#parts + 1] = element("text", {x = frame.left - 6, y = y, dy = "0.35em",
                                         ["text-anchor"] = "end"}, (tic.text:gsub("^%-", "−")))
  end
  for _, tic in ipairs(frame.xtics) do
    local x = number.format("%.1f", frame.x(tic.at))
    parts[#parts + 1] = element("line", {class = "tic", x1 = x, x2 = x, y1 = HEIGHT - BOTTOM,
                                         y2 = HEIGHT - BOTTOM + 4})
    parts[#parts + 1] = element("text", {x = x, y = HEIGHT - BOTTOM + 16,
                                         ["text-anchor"] = "middle"}, tic.text)
  end
  parts[#parts + 1] = element("line", {class = "axis", x1 = frame.left, x2 = WIDTH - RIGHT,
                                       y1 = HEIGHT - BOTTOM, y2 = HEIGHT - BOTTOM})
  parts[#parts + 1] = element("text", {x = WIDTH - RIGHT, y = HEIGHT - 4, class = "label",
                                       ["text-anchor"] = "end"}, "step")
  return parts
end

-- ---- series ----

local function drawable(frame)
  return function(v) return is_finite(v) and (not frame.is_log or v > 0) end
end

local function thin(columns)
  return downsample.thin(columns, {columns = COLUMNS, drawable_x = is_finite,
                                   drawable_y = is_finite})
end

local function point(frame, x, y) return number.format("%.1f %.1f", frame.x(x), frame.y(y)) end

-- The path of a line, with gaps at what cannot be drawn; and the points that have no neighbour.
local function line_path(frame, x, y)
  local parts, lonely, good = {}, {}, drawable(frame)
  local function is_drawn(i) return x[i] and good(y[i]) end
  for i = 1, #x do
    if is_drawn(i) then
      local starts = not is_drawn(i - 1)
      if starts and not is_drawn(i + 1) then lonely[#lonely + 1] = i end
      parts[#parts + 1] = (starts and "M" or "L") .. point(frame, x[i], y[i])
    end
  end
  return table.concat(parts), lonely
end

local function band_path(frame, x, low, high)
  local parts = {}
  for i = 1, #x do
    if is_finite(low[i]) and is_finite(high[i]) then
      parts[#parts + 1] = point(frame, x[i], high[i])
    end
  end
  for i = #x, 1, -1 do
    if is_finite(low[i]) and is_finite(high[i]) then
      parts[#parts + 1] = point(frame, x[i], low[i])
    end
  end
  return parts[1] and "M" .. table.concat(parts, "L") .. "Z"
end

local function draw_series(frame, s)
  local line, band = s.line, s.band
  local path, lonely = line_path(frame, line[1], line[2])
  local shape = band and band_path(frame, band[1], band[2], band[3])
  local dots = {}
  for i, at in ipairs(lonely) do
    dots[i] = element("circle", {class = "dot", r = 2.5,
                                 cx = number.format("%.1f", frame.x(line[1][at])),
                                 cy = number.format("%.1f", frame.y(line[2][at]))})
  end
  return element("g", {class = "s" .. s.turn}, element("title", nil, s.label),
    shape and element("path", {class = "band", d = shape}),
    path ~= "" and element("path", {class = "line", d = path}), dots)
end

--- Draws lines over steps.
-- @param series list of {x=, y= lists of numbers, low=, high= the edges of a band or nil, turn=
--   1 to SERIES_MOST, which decides colour and dashes, label=}
-- @param label string: what the chart shows, for those who do not see it
-- @return markup; nil if no value is finite
function M.lines(series, label)
  local shown, drawn = {}, {}
  for i, s in ipairs(series) do
    shown[i] = {line = thin{s.x, s.y}, band = s.low and thin{s.x, s.low, s.high}, turn = s.turn,
                label = s.label}
  end
  local _, span = spans_of(shown)
  if span.least > span.most then return nil end
  local frame = frame_of(shown)
  for i, s in ipairs(shown) do drawn[i] = draw_series(frame, s) end
  return element("svg", {viewBox = ("0 0 %d %d"):format(WIDTH, HEIGHT), role = "img",
                         ["aria-label"] = label, class = "chart"}, draw_axes(frame), drawn)
end

--- The piece of a line that stands for a turn in a legend.
function M.swatch(turn)
  return element("svg", {viewBox = "0 0 28 10", class = "swatch", ["aria-hidden"] = "true"},
    element("g", {class = "s" .. turn}, element("path", {class = "line", d = "M1 5H27"})))
end

return M
