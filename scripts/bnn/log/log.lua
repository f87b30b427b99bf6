--- Logs: where the metrics of a run go. (Called as a function, bnn.log(x) is the op, as x:log().)
-- A log has `row(step, values)`, which calls `write(step, rows)` of its sinks, rows being a list of
-- {name, value}. A sink is a function of (step, rows), or a table with a method `write` and
-- optionally `say(line)` for other lines of results, and `close()`. So a user's own sink is
--     bnn.log.tee{bnn.log.console(), function(step, rows) print(step, rows[1][2]) end}
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local log_file = require "bnn.log.log_file"
local log_read = require "bnn.log.log_read"
local log_text = require "bnn.log.log_text"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local refusal = require "bnn.base.refusal"
local renamed = require "bnn.base.renamed"
local strings = require "bnn.base.strings"
local tensorboard = require "bnn.log.tensorboard"

local M = {}

local Log = {__name = "bnn.log"}
Log.__index = Log

function Log.__tostring() return "log" end

-- A value as the sinks get it: a number, string or boolean; a tensor of one element gives its
-- number.
local function plain_value(name, v)
  local kind = type(v)
  if kind == "number" or kind == "string" or kind == "boolean" then return v end
  if kind == "userdata" and v.item then return v:item() end
  fail.expected("log:row: " .. name, "a number or a string", v)
end

local function ordered_rows(values)
  if values[1] ~= nil then return values end
  local rows = {}
  for i, name in ipairs(options.sorted_names(values)) do rows[i] = {name, values[name]} end
  return rows
end

-- The step as an integer, of what is named.
local function step_of(what, step)
  local at = math.type(step) and math.tointeger(step)
  if not at then fail("%s: step: expected an integer, got %s", what, kinds.show(step)) end
  return at
end

--- Logs the metrics of one step.
-- @param step integer
-- @param values table: a list of {name, value} in the order to show, or name -> value, by name; a
--   name comes once, and is not "step"
function Log:row(step, values)
  local at = step_of("log:row", step)
  if type(values) ~= "table" then fail.expected("log:row: values", "a table", values) end
  local rows, taken = {}, {}
  for i, row in ipairs(ordered_rows(values)) do
    if type(row) ~= "table" or type(row[1]) ~= "string" then
      fail.expected(("log:row: entry %d"):format(i), "{name, value}", row)
    end
    if row[1] == "step" then fail "log:row: 'step' cannot be the name of a value" end
    if taken[row[1]] then fail("log:row: '%s' comes twice", row[1]) end
    taken[row[1]], rows[i] = true, {row[1], plain_value(row[1], row[2])}
  end
  self.sink:write(at, rows)
end

--- Passes a block of rows to the sink unchecked; `row` checks them first.
function Log:write(step, rows)
  self.sink:write(step, rows)
end

--- Logs lines of results that are not metrics of a step (a table, a closing sentence).
-- Consoles show them, memory keeps them, CSV and JSON files leave them out.
function Log:say(line)
  if self.sink.say then self.sink:say((line:gsub("\n$", ""))) end
end

-- The sinks that take a method get it; others leave such values out.
local function pass_on(self, method, ...)
  if type(self.sink[method]) == "function" then self.sink[method](self.sink, ...) end
end

--- Logs the distribution of a tensor's elements, for TensorBoard; other logs leave it out.
--     log:histogram(10, "mu", posterior.mu.flat)
-- @param step integer
-- @param name string
-- @param x tensor of real numbers; those that are not finite are not counted
function Log:histogram(step, name, x)
  step = step_of("log:histogram", step)
  expect.string("log:histogram: name", name, "a name")
  expect.tensor("log:histogram: x", x, "a tensor")
  pass_on(self, "histogram", step, name, x)
end

--- Logs an image, for TensorBoard; other logs leave it out.
--     log:image(10, "first digit", data.train.x[1])
-- @param step integer
-- @param name string
-- @param x u8 [h, w] or [h, w, channels]: 1 grey, 3 RGB, 4 RGB and alpha
function Log:image(step, name, x)
  step = step_of("log:image", step)
  expect.string("log:image: name", name, "a name")
  expect.tensor("log:image: x", x, "an image of u8, [h, w] or [h, w, channels]")
  pass_on(self, "image", step, name, x)
end

--- Closes the log's files. Calling it twice is safe.
function Log:close()
  if self.sink.close then self.sink:close() end
end

--- A log over a sink: a function of (step, rows) or a table with a method write(step, rows).
function M.new(sink)
  if type(sink) == "function" then
    local write = sink
    sink = {write = function(_, step, rows) write(step, rows) end}
  end
  if type(sink) ~= "table" or type(sink.write) ~= "function" then
    fail.expected("bnn.log", "a function of (step, rows) or a table with a method 'write'", sink)
  end
  return setmetatable({sink = sink}, Log)
end

--- Returns the log that a `log =` option stands for: a log, a sink, or nil for the console.
function M.resolve(given)
  if given == nil then return M.console() end
  if getmetatable(given) == Log then return given end
  return M.new(given)
end

-- Writes and flushes, so that `| head` and `| tee` see progress; a full disk ends the run.
local function put(out, text)
  local ok, message = out:write(text)
  if ok and out.flush then ok, message = out:flush() end
  if ok then return end
  refusal.assert_or_exit(nil, "cannot write the log: " .. tostring(message))
end

local function console_text(v)
  return type(v) == "number" and number.fixed(v, 3) or strings.shown(number.text(v))
end

--- The log of the terminal: `  10000 | test/accuracy                       0.979`.
-- @param opts table: out=io.stdout
function M.console(opts)
  local spec = {out = {type = "any", default = io.stdout}}
  local out = options.check("bnn.log.console", opts, spec).out
  local function write(_, step, rows)
    local lines = {}
    for i, row in ipairs(rows) do
      lines[i] = ("%7d | %-35s %s\n"):format(step, strings.shown(row[1]), console_text(row[2]))
    end
    put(out, table.concat(lines))
  end
  return M.new{write = write, say = function(_, line) put(out, line .. "\n") end}
end

--- A log that keeps what it is given, for tests and sweeps: log.blocks is a list of {step=, rows=},
-- log.lines a list of what was said, log:last(name) the latest value of a metric and its step.
function M.memory()
  local blocks, lines = {}, {}
  local log = M.new{
    write = function(_, step, rows) blocks[#blocks + 1] = {step = step, rows = rows} end,
    say = function(_, line) lines[#lines + 1] = line end,
  }
  log.blocks, log.lines = blocks, lines
  --- The latest value of a metric in a memory log, and its step; nil if it was never logged.
  function log:last(name)
    for b = #self.blocks, 1, -1 do
      for _, row in ipairs(self.blocks[b].rows) do
        if row[1] == name then return row[2], self.blocks[b].step end
      end
    end
  end
  --- The values of a metric in a memory log.
  --     local steps, values = log:curve "test/accuracy"
  -- @param name string
  -- @return steps i64 [n], values real [n], in the order of the log, of a step the last; nil if it
  --   was never logged as a number
  function log:curve(name)
    local steps, values, places = {}, {}, {}
    for _, block in ipairs(self.blocks) do
      for _, row in ipairs(block.rows) do
        if row[1] == name and type(row[2]) == "number" then
          local at = places[block.step] or #steps + 1
          places[block.step], steps[at], values[at] = at, block.step, row[2]
        end
      end
    end
    if not steps[1] then return nil end
    return core.tensor(steps, "i64"), core.tensor(values)
  end
  return log
end

--- A log that passes everything to each of a list of logs or sinks.
function M.tee(logs)
  local outs, sink = {}, {}
  expect.plain_table("bnn.log.tee", logs, "a list of logs")
  for i, log in ipairs(logs) do outs[i] = M.resolve(log) end
  for _, method in ipairs{"write", "say", "histogram", "image", "close"} do
    sink[method] = function(_, ...)
      for _, out in ipairs(outs) do out[method](out, ...) end
    end
  end
  return M.new(sink)
end

-- A log to a file of its own, each block as text by `format`.
-- @param ending function(line) -> what ends a last line that was cut short
local function file_log(what, path, opts, ending, header, format)
  expect.string(what, path, "a path")
  opts = options.check(what, opts, {append = {type = "boolean", default = false}})
  local file, message = log_file.open(path, opts.append and ending, header)
  if not file then return nil, message end
  return M.new{
    write = function(_, step, rows) file:put(format(step, rows)) end,
    close = function() file:close() end,
  }
end

--- A log to a CSV file, one line for each metric: step,name,value. Metrics may differ from step to
-- step; numbers read back as the same numbers.
-- @param path string
-- @param opts table: append=true adds to a file that is there; else it begins anew
-- @return log; or nil, message if the file cannot be made
function M.csv(path, opts)
  local function format(step, rows)
    local lines = {}
    for i, row in ipairs(rows) do
      lines[i] = ("%d,%s,%s\n"):format(step, log_text.csv(row[1]), log_text.csv(row[2]))
    end
    return table.concat(lines)
  end
  return file_log("bnn.log.csv", path, opts, log_text.csv_ending, "step,name,value\n", format)
end

--- A log to a file of JSON lines, one object for each block: {"step":0,"test/accuracy":0.979}.
-- Numbers read back as the same numbers, NaN and infinities are null; bytes that are not UTF-8 are
-- written as \xe9.
-- @param path string
-- @param opts table: append=true adds to a file that is there; else it begins anew
-- @return log; or nil, message if the file cannot be made
function M.jsonl(path, opts)
  return file_log("bnn.log.jsonl", path, opts, log_text.json_ending, nil, function(step, rows)
    local fields = {('"step":%d'):format(step)}
    for _, row in ipairs(rows) do
      fields[#fields + 1] = log_text.json(row[1]) .. ":" .. log_text.json(row[2])
    end
    return "{" .. table.concat(fields, ",") .. "}\n"
  end)
end

--- A log to event files of TensorBoard: `tensorboard --logdir=DIR` shows metrics as scalars (words
-- as text), histograms and images. Each log is a file of its own in the folder and changes no
-- other, so that a resumed run adds to what is there.
--     local log = bnn.log.tensorboard("runs/first", {config = {lr = 1e-3}})
--     log:row(1, {{"loss", 0.5}})
--     log:histogram(1, "weights", bnn.randn(key, 100))
--     log:close()
-- @param dir string: a folder, made if there is none
-- @param opts table: config= the run's hyperparameters by name, for the table of runs; metrics= the
--   names of metrics in that table, a list; group= a name that runs of one configuration share
-- @return log; or nil, message if the folder or file cannot be made
function M.tensorboard(dir, opts)
  local sink, message = tensorboard.sink("bnn.log.tensorboard", dir, opts)
  if not sink then return nil, message end
  return M.new(sink)
end

-- The log of a file by its ending.
local function by_ending(path)
  return path:find "%.csv$" and M.csv or path:find "%.jsonl$" and M.jsonl or nil
end

--- Opens a log file, CSV or JSON lines by its ending.
--     local log = bnn.log.file("training.jsonl", {append = true})
-- @param path string that ends in .csv or .jsonl
-- @param opts table: append=true adds to a file that is there; else it begins anew
-- @return log; or nil, message if the file cannot be made or has another ending
function M.file(path, opts)
  expect.string("bnn.log.file", path, "a path")
  local make = by_ending(path)
  if not make then
    return nil, strings.message("%s: expected a name that ends in .csv or .jsonl", path)
  end
  return make(path, opts)
end

--- Reads a log file back, CSV or JSON lines by its ending. Of rows with the same step and name, as
-- a resumed run leaves them, the last counts; a line that is cut short is left out, with a notice.
--     local log = assert(bnn.log.read "training.jsonl")
--     local steps, values = log:curve "test/accuracy"     -- i64 [n], real [n]
-- @param path string that ends in .csv or .jsonl
-- @return a log like bnn.log.memory's: blocks, log:last(name), log:curve(name); or nil, message
function M.read(path)
  expect.string("bnn.log.read", path, "a path")
  if not by_ending(path) then
    return nil, strings.message("%s: expected a name that ends in .csv or .jsonl", path)
  end
  local blocks, message = log_read.blocks(path, path:find "%.csv$" and "csv" or "jsonl")
  if not blocks then return nil, message end
  local log = M.memory()
  for _, block in ipairs(blocks) do log:write(block.step, block.rows) end
  return log
end

renamed.functions(M, "bnn.log", {of = "resolve"})

return M
