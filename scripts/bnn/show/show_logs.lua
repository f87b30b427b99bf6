--- The curves of a run or a log: a small figure for each metric, as their scales differ.
local fail = require "bnn.base.fail"
local show_curves = require "bnn.show.show_curves"

local M = {}

local MOST = 4 -- metrics, if nobody says which
local HEIGHT = 8 -- lines of one, if nobody says

-- The metrics that have numbers at two steps or more, in the order in which they came.
local function names_of(log)
  local names, steps = {}, {}
  for _, block in ipairs(log.blocks) do
    for _, row in ipairs(block.rows) do
      local name, last = row[1], steps[row[1]]
      if type(row[2]) == "number" and last and last ~= block.step and not names[name] then
        names[#names + 1], names[name] = name, true
      end
      steps[name] = block.step
    end
  end
  return names
end

-- The names that are drawn, and what is said of the others.
local function choose(what, log, given)
  if given then return given, "" end
  local names = names_of(log)
  if #names == 0 then
    fail("%s: x: expected a metric with numbers at two steps or more, got none", what)
  end
  if #names <= MOST then return names, "" end
  local others = table.concat(names, ", ", MOST + 1)
  return table.move(names, 1, MOST, 1, {}), ("metrics= also draws %s\n"):format(others)
end

--- Draws the metrics of a log, one below the other.
-- @param what string: the function's name for messages
-- @param screen table, as show_screen.find returns it
-- @param log as bnn.log.memory makes it
-- @param opts table: metrics= list of names or nil; title=, width=, height= of each in cells
-- @return the text; or nil, message
function M.draw(what, screen, log, opts)
  local names, note = choose(what, log, opts.metrics)
  local parts = {opts.title and opts.title .. "\n"}
  for _, name in ipairs(names) do
    local steps, values = log:curve(name)
    if not steps then fail("%s: metrics: no number was logged as %q", what, name) end
    local text, fault = show_curves.draw(screen, {{x = steps:totable(), y = values:totable()}}, {
      title = name, xlabel = "step", width = opts.width, height = opts.height or HEIGHT,
    })
    if not text then return nil, fault end
    parts[#parts + 1] = text
  end
  return table.concat(parts) .. note
end

return M
