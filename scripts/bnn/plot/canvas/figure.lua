--- What every figure of bnn.plot shares: options, frame and legend, and where the drawing goes.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local figure_screen = require "bnn.plot.canvas.figure_screen"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local plot_axes = require "bnn.plot.canvas.plot_axes"
local plot_style = require "bnn.plot.canvas.plot_style"
local plot_text = require "bnn.plot.canvas.plot_text"

local M = {}

-- ---- options ----

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

--- Raises if options of M.spec exclude one another; at the prompt a figure without a path and out=
-- then goes to the terminal.
function M.check(what, opts)
  if opts.path and not gnuplot.kind_of(opts.path) then
    fail("%s: path: expected a name that ends in .svg or .png, got %q", what, opts.path)
  end
  if opts.path and opts.out then fail("%s: expected path= or out=, got both", what) end
  plot_axes.check_range(what, "xrange", opts.xrange, opts.logx)
  plot_axes.check_range(what, "yrange", opts.yrange, opts.logy)
  figure_screen.prepare(opts)
end

--- The options that were given of some, for messages: "labels=, bins=", or "nothing".
function M.given(opts, names)
  local given = {}
  for _, name in ipairs(names) do
    if opts[name] ~= nil and opts[name] ~= false then given[#given + 1] = name .. "=" end
  end
  return #given > 0 and table.concat(given, ", ") or "nothing"
end

--- The kind of a list of series, and what raises unless there is one.
M.SERIES = {type = "table", list = true, required = true}
function M.check_series(what, series)
  if #series == 0 then fail("%s: series: expected at least one, got none", what) end
end

-- ---- legend ----

local LEGEND = {bottom = 0.8, right = 0.25, none = 1} -- of the width, for an entry of the legend

local function wrap_entry(label, opts)
  return plot_text.wrap(label, plot_text.letters("x", LEGEND[opts.legend], opts))
end

--- An item's entry in the legend.
function M.titled(label, opts)
  local title = label and label ~= "" and gnuplot.quote(wrap_entry(label, opts))
  return title and ("title %s noenhanced"):format(title) or "notitle"
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
  local most = plot_text.most_lines(texts)
  return most == 1 and "" or ("set key spacing %d width %d"):format(most,
    widest(lines) - widest(texts))
end

-- ---- drawing ----

-- Of a picture; text has neither colours nor a grid.
local look = table.concat({
  ("set border 3 lc rgb '%s'"):format(plot_style.INK),
  "set minussign",
  ("set tics nomirror out scale 0.5 textcolor rgb '%s'"):format(plot_style.INK),
  ("set grid lt 1 lw 0.8 lc rgb '%s'"):format(plot_style.GRID),
  "set key Left reverse samplen 2",
}, "\n")

local legends = {
  bottom = "set key bmargin center horizontal height 1",
  right = "set key rmargin top vertical",
  none = "unset key",
}

--- The commands that come before a figure's own: axes, legend, title.
-- @param opts table: checked options of M.spec; xspan=, yspan= {least, most} of what is drawn along
--   an axis without a range, is_whole= whether along x that is whole numbers alone;
--   entries= the labels in the legend
function M.frame(opts)
  local lines = {"set encoding utf8", opts.path and look or ""}
  if opts.title then
    local title = plot_text.wrap(opts.title, plot_text.letters("x", 0.9, opts))
    lines[#lines + 1] = ("set title %s noenhanced"):format(gnuplot.quote(title))
  end
  lines[#lines + 1] = plot_axes.axis("x", opts)
  lines[#lines + 1] = plot_axes.axis("y", opts)
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
      width = plot_text.width(opts), height = plot_text.height(opts), scale = opts.scale,
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
