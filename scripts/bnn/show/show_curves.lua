--- Curves on a screen: by gnuplot where pictures can be shown, else as dots between axes.
local core = require "bnn.core"
local dot_canvas = require "bnn.show.dot_canvas"
local downsample = require "bnn.plot.canvas.downsample"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local number = require "bnn.base.number"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_lines = require "bnn.plot.plot_lines"
local plot_style = require "bnn.plot.canvas.plot_style"
local show_images = require "bnn.show.show_images"
local strings = require "bnn.base.strings"
local text_image = require "bnn.plot.canvas.text_image"

local M = {}

local is_drawable = plot_columns.is_drawable

-- ---- as dots: the axes ----

local UTF8 = {corner = "└", across = "─", down = "│", tic_x = "┬", tic_y = "┤", line = "⠤⠤"}
local ASCII = {corner = "+", across = "-", down = "|", tic_x = "+", tic_y = "+"}

-- The least and the greatest of some lists of numbers, apart from each other.
local function span_of(lists)
  local least, most = math.huge, -math.huge
  for _, list in ipairs(lists) do
    for _, v in ipairs(list) do
      if is_drawable(v) then least, most = math.min(least, v), math.max(most, v) end
    end
  end
  if least > most then return 0, 1 end
  if least < most then return least, most end
  local room = math.max(math.abs(least) * 0.1, 1e-3)
  return least - room, most + room
end

-- Tics as {place, text}: `count` at most, at whole multiples of 1, 2 or 5 times a power of ten; or
-- the ends, where fewer than two of those are.
local function tics_of(least, most, count)
  local power, step = 10.0 ^ math.floor(math.log((most - least) / count, 10)), nil
  for _, factor in ipairs{1, 2, 5, 10, 20} do
    step = factor * power
    if math.floor(most / step) - math.ceil(least / step) + 1 <= count then break end
  end
  local digits = math.ceil(math.log(math.max(math.abs(least), math.abs(most)) / step, 10)) + 1
  local form, tics = ("%%.%dg"):format(math.min(math.max(3, digits), 15)), {}
  for k = math.ceil(least / step - 1e-9), math.floor(most / step + 1e-9) do
    tics[#tics + 1] = {k * step, number.format(form, k * step)}
  end
  if #tics >= 2 then return tics end
  return {{least, number.format(form, least)}, {most, number.format(form, most)}}
end

local function pad_left(text, width) return (" "):rep(width - (utf8.len(text) or #text)) .. text end

-- ---- as dots: the series ----

local function draw_series(canvas, s, turn, axes)
  local width, height = canvas:size()
  local function place(i)
    return (s.x[i] - axes.x0) / (axes.x1 - axes.x0) * (width - 1),
      (axes.y1 - s.y[i]) / (axes.y1 - axes.y0) * (height - 1)
  end
  local last_x, last_y
  for i = 1, #s.x do
    local x, y
    if is_drawable(s.x[i]) and is_drawable(s.y[i]) then x, y = place(i) end
    if x and last_x and s.style ~= "points" then
      canvas:line(last_x, last_y, x, y, turn)
    elseif x then
      canvas:line(x, y, x, y, turn)
    end
    last_x, last_y = x, y
  end
end

local function thin(series, columns)
  local out = {}
  for i, s in ipairs(series) do
    local x, y = s.x, s.y
    if s.style ~= "points" then
      x, y = table.unpack(downsample.thin({x, y},
        {columns = columns, drawable_x = is_drawable, drawable_y = is_drawable}))
    end
    out[i] = {x = x, y = y, style = s.style, label = s.label}
  end
  return out
end

-- ---- as dots: colours ----

-- What paints text in the colour of a series, as deep as the screen's colours are. Black and grey
-- have no turn: one of them may be the ground.
local TURNS = {"sky", "orange", "green", "vermillion", "purple", "blue", "yellow"}

local function painter(depth)
  if depth == "none" then return function(text) return text end end
  return function(text, turn)
    local hex = plot_style.colours[TURNS[(turn - 1) % #TURNS + 1]]
    local r, g, b = hex:match "#(%x%x)(%x%x)(%x%x)"
    local colour = {tonumber(r, 16) / 255, tonumber(g, 16) / 255, tonumber(b, 16) / 255}
    return ("\27[38;%sm%s\27[0m"):format(text_image.colour(colour, depth), text)
  end
end

-- ---- as dots: all of it ----

local function legend_of(series, signs, paint)
  local entries = {}
  for i, s in ipairs(series) do
    if s.label then
      local sign = signs == UTF8 and s.style == "points" and "⠂" or signs.line or dot_canvas.mark(i)
      entries[#entries + 1] = paint(sign, i) .. " " .. strings.shown(s.label)
    end
  end
  return entries[1] and table.concat(entries, "   ")
end

-- The lines of the axis along x, and of its tics, `left` columns from the left.
local function bottom_of(axes, columns, signs, left, label)
  local line, texts, at = {}, {}, 0
  for i = 1, columns do line[i] = signs.across end
  for _, tic in ipairs(axes.x_tics) do
    local column = math.floor((tic[1] - axes.x0) / (axes.x1 - axes.x0) * (columns - 1) + 0.5) + 1
    local from = math.max(0, column - 1 - #tic[2] // 2)
    if from + #tic[2] <= columns + 1 then
      line[math.min(column, columns)] = signs.tic_x
      texts[#texts + 1] = (" "):rep(from - at) .. tic[2]
      at = from + #tic[2]
    end
  end
  local space = (" "):rep(left)
  local lines = {
    space .. signs.corner .. table.concat(line), space .. " " .. table.concat(texts),
  }
  if label then
    local room = math.max(0, (columns - (utf8.len(label) or #label)) // 2)
    lines[#lines + 1] = space .. " " .. (" "):rep(room) .. strings.shown(label)
  end
  return lines
end

local LEAST_COLUMNS, LEAST_ROWS, BESIDE = 10, 3, 2

local function axes_of(series, rows)
  local xs, ys = {}, {}
  for i, s in ipairs(series) do xs[i], ys[i] = s.x, s.y end
  local axes = {}
  axes.x0, axes.x1 = span_of(xs)
  axes.y0, axes.y1 = span_of(ys)
  axes.y_tics = tics_of(axes.y0, axes.y1, math.max(3, rows // 3))
  axes.left = 1
  for _, tic in ipairs(axes.y_tics) do axes.left = math.max(axes.left, #tic[2]) end
  return axes
end

-- The lines of the axis along y and of what stands beside it.
local function body_of(canvas, axes, signs, paint)
  local at = {}
  for _, tic in ipairs(axes.y_tics) do
    local share = (axes.y1 - tic[1]) / (axes.y1 - axes.y0)
    at[math.floor(share * (canvas.rows - 1) + 0.5)] = tic[2]
  end
  local lines = {}
  for y = 0, canvas.rows - 1 do
    local side = at[y] and signs.tic_y or signs.down
    local line = pad_left(at[y] or "", axes.left) .. " " .. side .. canvas:row(y, paint)
    lines[#lines + 1] = line:gsub("%s+$", "")
  end
  return lines
end

local function as_dots(screen, series, opts)
  local signs = screen.way == "ascii" and ASCII or UTF8
  local paint = painter(screen.depth)
  local rows = math.max(LEAST_ROWS, (opts.height or math.min(screen.rows - 4, 20)) - 3)
  local axes = axes_of(series, rows)
  local columns = (opts.width or screen.columns) - axes.left - BESIDE
  columns = math.max(LEAST_COLUMNS, columns - 1) -- the last tic may stand out by a letter
  axes.x_tics = tics_of(axes.x0, axes.x1, math.max(3, columns // 12))
  local canvas = dot_canvas.new(columns, rows, signs == UTF8)
  for i, s in ipairs(thin(series, columns * 2)) do draw_series(canvas, s, i, axes) end
  local lines = {}
  lines[#lines + 1] = opts.title and strings.shown(opts.title)
  lines[#lines + 1] = opts.ylabel and strings.shown(opts.ylabel)
  lines[#lines + 1] = legend_of(series, signs, paint)
  table.move(body_of(canvas, axes, signs, paint), 1, rows, #lines + 1, lines)
  local bottom = bottom_of(axes, columns, signs, axes.left + 1, opts.xlabel)
  table.move(bottom, 1, #bottom, #lines + 1, lines)
  return table.concat(lines, "\n") .. "\n"
end

-- ---- as a picture ----

local MOST_PIXELS = 4000 -- of a figure each way
local MOST_WIDTH, SHARE = 900, 0.7 -- pixels if nobody asks for more; of the window's height

-- A figure by gnuplot as u8 [h, w, 3]; or nil, message.
local function figure_of(screen, series, opts)
  local cell = screen.cell
  local wide = opts.width and math.min(opts.width * cell.width, MOST_PIXELS)
    or math.min(screen.columns * cell.width, MOST_WIDTH)
  local tall = opts.height and opts.height * cell.height
    or math.min(wide * 0.6, screen.rows * cell.height * SHARE) // 1
  local figure = {
    series = series, path = "figure.png", title = opts.title, xlabel = opts.xlabel,
    ylabel = opts.ylabel, legend = "bottom", shade = {}, width = math.max(wide, 200),
    height = math.max(tall, 150),
  }
  local commands = plot_lines.commands(plot_lines.read("bnn.show", figure), figure)
  local png, fault = gnuplot.picture("png", commands,
    {width = figure.width, height = figure.height, scale = 1, what = "bnn.show"})
  if not png then return nil, fault end
  return core.png_parse(png, "the figure", "rgb")
end

--- Draws curves.
-- @param screen table, as show_screen.find returns it
-- @param series list of {x=, y= lists of numbers of one length, label= or nil, style= "lines" or
--   "points"}
-- @param opts table: title=, xlabel=, ylabel=; width=, height= in cells of the terminal
-- @return the text; or nil, message
function M.draw(screen, series, opts)
  local picture = screen.is_picture and figure_of(screen, series, opts)
  if not picture then return as_dots(screen, series, opts) end
  return show_images.picture(screen, picture)
end

return M
