--- What figures of trials share: how objectives and states are read, what the states look like, and
-- what gnuplot is told of points, lines and axes of parameters.
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local parameter_columns = require "bnn.search.analysis.parameter_columns"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_style = require "bnn.plot.canvas.plot_style"
local strings = require "bnn.base.strings"

local M = {}

-- ---- reading ----

--- The states in the order of the legend, and how their points are drawn.
M.STATES = {"completed", "pruned", "running", "failed"}
local GREY, RED = plot_style.colours.grey, plot_style.colours.vermillion
local LOOKS = {
  completed = {colour = "#400072b2", solid = plot_style.colours.blue, mark = 7, size = 0.8},
  pruned = {colour = "#30e69f00", solid = plot_style.colours.orange, mark = 4, size = 0.8},
  running = {colour = GREY, solid = GREY, mark = 6, size = 0.8},
  failed = {colour = RED, solid = RED, mark = 2, size = 0.8},
}
M.LOOKS = LOOKS

--- The options of values and states of trials, for options.check.
M.SPEC = {
  values = {type = "table", required = true}, states = "table",
  mode = {type = "string", choices = {"min", "max"}, default = "min"},
}

--- The states of n trials: those given; else "completed" where there is a value, or "failed".
function M.states(what, given, values, n)
  local states = {}
  for i = 1, n do
    local state = given and given[i]
    if state ~= nil and not LOOKS[state] then
      fail('%s: states[%d]: expected "completed", "pruned", "failed" or "running", got %s', what, i,
        kinds.show(state))
    end
    states[i] = state or kinds.is_finite(values[i]) and "completed" or "failed"
  end
  return states
end

--- The first of the best completed trials, or nil.
function M.best(trials)
  local best
  for i = 1, trials.n do
    local v = trials.losses[i]
    if v and trials.states[i] == "completed" and (not best or v < trials.losses[best]) then
      best = i
    end
  end
  return best
end

--- Reads checked options of M.SPEC.
-- @return {n=, values=, states=, losses= values that can be drawn, less is better, by trial; sign=,
--   best= a trial or nil}
function M.read(what, opts)
  local n = math.max(parameter_columns.length(opts.values),
    opts.states and parameter_columns.length(opts.states) or 0)
  parameter_columns.check_numbers(what .. ": values", opts.values, n)
  local trials = {
    n = n, values = opts.values, losses = {}, sign = opts.mode == "max" and -1 or 1,
    states = M.states(what, opts.states, opts.values, n),
  }
  for i = 1, n do
    local v = opts.values[i]
    local is_there = v and trials.states[i] ~= "failed" and plot_columns.is_drawable(v, opts.logy)
    trials.losses[i] = is_there and trials.sign * v or nil
  end
  trials.best = M.best(trials)
  return trials
end

local FEW, FAR, SHOWN = 8, 8, 3 -- trials; spreads: the best three quarters of them are one

--- The least of a list of losses, and the greatest that an axis shows: a few that are far worse
-- than the others would press these into a line. Nil if there are none.
-- @return least, greatest, whether there are greater ones
function M.span(losses)
  local sorted = table.move(losses, 1, #losses, 1, {})
  table.sort(sorted)
  local least, most = sorted[1], sorted[#sorted]
  if not least then return nil end
  local spread = sorted[math.ceil(0.75 * #sorted)] - least
  local is_far = #sorted >= FEW and spread > 0 and most - least > FAR * spread
  return least, is_far and least + SHOWN * spread or most, is_far
end

-- The range of objectives with some room, {from, to} of losses; and the greatest of them that fits.
local function loss_range(trials)
  local losses = {}
  for i = 1, trials.n do losses[#losses + 1] = trials.losses[i] end
  local least, most, is_far = M.span(losses)
  if not least then return 0, 1, math.huge end
  local room = most > least and 0.06 * (most - least) or 0.5
  return least - room, most + room, is_far and most or math.huge
end

-- Whole decades around the values.
local function log_range(trials)
  local least, most = math.huge, 0
  for i = 1, trials.n do
    local v = trials.losses[i] and trials.values[i]
    if v then least, most = math.min(least, v), math.max(most, v) end
  end
  if most == 0 then return {1, 10} end
  return {least / 1.2, most * 1.2}
end

--- The range of the axis of objectives, {from, to}; and what is not on it, by trial: the value at
-- the edge, at which it is marked.
function M.value_range(trials, opts)
  if opts.yrange then return opts.yrange, {} end
  if opts.logy then return log_range(trials), {} end
  local from, to, limit = loss_range(trials)
  local beyond = {}
  for i = 1, trials.n do
    if trials.losses[i] and trials.losses[i] > limit then beyond[i] = trials.sign * limit end
  end
  if trials.sign < 0 then from, to = -to, -from end
  return {from, to}, beyond
end

-- ---- drawing ----

local Canvas = {}
Canvas.__index = Canvas

--- What collects blocks of data and items of one plot; `names` counts blocks over several.
function M.canvas(opts, names)
  return setmetatable({opts = opts, names = names or {0}, data = {}, items = {}, marks = {},
                       entries = {}}, Canvas)
end

--- Adds an item: columns, how they are drawn, and its entry in the legend or nil. Without a row it
-- is in the legend alone.
function Canvas:add(columns, way, label)
  self.names[1] = self.names[1] + 1
  local name = "t" .. self.names[1]
  local text, count = plot_columns.block(name, columns, {})
  local using = {}
  for k = 1, #columns do using[k] = k end
  if count > 0 then self.data[#self.data + 1] = text end
  self.items[#self.items + 1] = ("%s %s %s"):format(count > 0 and ("$%s using %s"):format(name,
    table.concat(using, ":")) or "NaN", way, figure.titled(label, self.opts))
  self.entries[#self.entries + 1] = label or nil
end

--- How points of a state are drawn.
function M.point_way(state, is_small)
  local look = LOOKS[state]
  return number.format("with points pt %d ps %g lw 1.5 lc rgb '%s'", look.mark,
    is_small and 0.6 * look.size or look.size, look.colour)
end

M.BEST_WAY = ("with points pt 6 ps 1.8 lw 2.5 lc rgb '%s'"):format(plot_style.colours.black)

--- Marks places x at the lower edge, where a trial failed.
function Canvas:mark_failed(x)
  local mark = "set label '' at first %.12g, graph 0.025 point pt 2 ps 0.8 lw 1.5 lc rgb '%s'"
    .. " front\n"
  for _, place in ipairs(x) do
    self.marks[#self.marks + 1] = number.format(mark, place, LOOKS.failed.solid)
  end
end

-- Columns of x and of the objective for the trials that a test chooses.
local function chosen(trials, x, y, is_chosen)
  local columns = {{}, {}}
  for i = 1, trials.n do
    if x[i] and is_chosen(i) then
      local k = #columns[1] + 1
      columns[1][k], columns[2][k] = x[i], y and y[i] or trials.values[i]
    end
  end
  return columns
end

local MANY = 60

--- Adds the trials of all states as points over x, by trial; those beyond the range at its edge;
-- and the best with a ring.
-- @param labels whether they are in the legend, by state and "best", "beyond"; nil: as there are
function Canvas:add_trials(trials, x, beyond)
  local count = 0
  for i = 1, trials.n do count = count + (trials.losses[i] and 1 or 0) end
  for _, state in ipairs(M.STATES) do
    if state ~= "failed" then
      local columns = chosen(trials, x, nil, function(i)
        return trials.states[i] == state and trials.losses[i] and not beyond[i]
      end)
      self:add(columns, M.point_way(state, count > MANY), trials.has[state] and state)
    end
  end
  local edge = chosen(trials, x, beyond, function(i) return beyond[i] end)
  local way = ("with points pt %d ps 0.9 lc rgb '%s'"):format(trials.sign < 0 and 11 or 9,
    plot_style.RULE)
  self:add(edge, way, next(beyond) and "off the axis")
  self:mark_failed(chosen(trials, x, nil, function(i) return trials.states[i] == "failed" end)[1])
  self:add({{}, {}}, M.point_way "failed", trials.has.failed and "failed")
  local best = chosen(trials, x, nil, function(i) return i == trials.best end)
  self:add(best, M.BEST_WAY, trials.best and "best")
end

--- Notes which states there are.
function M.count_states(trials)
  trials.has = {}
  for i = 1, trials.n do
    local state = trials.states[i]
    trials.has[state] = trials.has[state] or state == "failed" or trials.losses[i] ~= nil or nil
  end
  return trials
end

--- The commands that plot what was added.
function Canvas:plot()
  if #self.items == 0 then self.items[1] = "NaN notitle" end
  return table.concat(self.marks) .. "plot " .. table.concat(self.items, ", ") .. "\n"
end

-- ---- axes of parameters ----

local LETTER = 8

--- A number for a tic: 0.5, 200; 2e-5, 5e7.
function M.short(v)
  local size = math.abs(v)
  if size == 0 or size >= 1e-3 and size < 1e5 then return number.format("%g", v) end
  return (number.format("%.0e", v):gsub("e([+-])0*", "e%1"):gsub("e%+", "e"))
end

--- The tics 1, 2, 5, 10, ... of a logarithmic axis of less than two decades, as far as there is
-- room for them; of more decades gnuplot's are good.
function M.log_tics(axis, range, width)
  if range[2] / range[1] >= 100 then return "" end
  local places = {}
  for power = math.floor(math.log(range[1], 10)), math.ceil(math.log(range[2], 10)) do
    for _, digit in ipairs{1, 2, 5} do
      local place = digit * 10.0 ^ power
      if place >= range[1] and place <= range[2] then places[#places + 1] = place end
    end
  end
  local span, room, tics = math.log(range[2] / range[1]), 0, {}
  for _, place in ipairs(places) do
    local at = math.log(place / range[1]) / span * width
    if at >= room then
      tics[#tics + 1] = number.format('"%s" %.12g', M.short(place), place)
      room = at + (#M.short(place) + 1.5) * LETTER
    end
  end
  return ("set %stics (%s)\n"):format(axis, table.concat(tics, ", "))
end

-- The names cut, and the letters of the longest.
local function cut_all(choices, most)
  local texts, letters = {}, 0
  for k, text in ipairs(choices) do
    texts[k] = strings.cut(text, most)
    letters = math.max(letters, utf8.len(texts[k]) or #texts[k])
  end
  return texts, letters
end

--- Whether the names of categories along an axis of that width have no room side by side.
function M.is_slanted(choices, width, most)
  local _, letters = cut_all(choices, most)
  return (letters + 1) * LETTER > width / #choices
end

--- What names the categories at an axis; those at x slanted if they have no room side by side.
-- @param most letters of a name; a longer one is cut
function M.category_tics(axis, choices, width, most)
  local tics = {}
  for k, text in ipairs(cut_all(choices, most)) do
    tics[k] = ("%s %d"):format(gnuplot.quote_tic(text), k)
  end
  local is_slanted = axis == "x" and M.is_slanted(choices, width, most)
  return number.format("set %stics (%s) noenhanced%s\nset %srange [%g:%g]\n", axis,
    table.concat(tics, ", "), is_slanted and " rotate by 40 right" or "", axis, 0.5, #choices + 0.5)
end

--- The range of a parameter of numbers with some room at its ends.
function M.parameter_range(column)
  local low, high = column.low, column.high
  if low > high then return column.log and {1, 10} or {0, 1} end
  if column.log then
    local room = low < high and (high / low) ^ 0.04 or 2
    return {low / room, high * room}
  end
  local room = low < high and 0.04 * (high - low) or math.max(0.05 * math.abs(low), 0.5)
  return {low - room, high + room}
end

return M
