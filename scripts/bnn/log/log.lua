--- Logs: where the metrics of a run go. (Called as a function, bnn.log(x) is the op x:log().)
-- A log has `row(step, values)`, which calls `write(step, rows)` of its sink; rows is a list of
-- {name, value}. A sink is a function of (step, rows), or a table with a method `write` and
-- optionally `say(line)` for other lines of results, and `close()`. A sink of your own:
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
local posterior_histograms = require "bnn.log.posterior_histograms"
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
--     log:row(100, {{"test/accuracy", 0.978}, {"test/nll", 0.071}})
-- @param step integer
-- @param values table: a list of {name, value} in display order, or name -> value, sorted by name;
--   names are unique and differ from "step"
-- Raises for another kind of step, name or value.
function Log:row(step, values)
  local at = step_of("log:row", step)
  if type(values) ~= "table" then fail.expected("log:row: values", "a table", values) end
  local rows, taken = {}, {}
  for i, row in ipairs(ordered_rows(values)) do
    if type(row) ~= "table" or type(row[1]) ~= "string" then
      fail.expected(("log:row: entry %d"):format(i), "{name, value}", row)
    end
    if row[1] == "step" then fail "log:row: 'step' cannot be the name of a value" end
    if taken[row[1]] then fail("log:row: '%s' appears twice", row[1]) end
    taken[row[1]], rows[i] = true, {row[1], plain_value(row[1], row[2])}
  end
  self.sink:write(at, rows)
end

--- Passes a block of rows to the sink unchecked; `row` checks them first.
--     log:write(100, {{"test/accuracy", 0.978}})
-- @param step integer
-- @param rows list of {name, value}
function Log:write(step, rows)
  self.sink:write(step, rows)
end

--- Logs lines of results that are not metrics of a step, such as a table or a closing sentence.
-- Consoles print them and memory logs store them; CSV and JSON files leave them out.
--     log:say "abstains on 1.2% of the digits"
-- @param line string, without a newline at its end
function Log:say(line)
  if self.sink.say then self.sink:say((line:gsub("\n$", ""))) end
end

-- Whether the sink of a log has a method.
local function takes(self, method) return type(self.sink[method]) == "function" end

-- Calls a method of the sink, if it has it.
local function pass_on(self, method, ...)
  if takes(self, method) then self.sink[method](self.sink, ...) end
end

--- Logs a histogram of a tensor's elements to TensorBoard; other logs ignore it.
--     log:histogram(10, "mu", posterior.mu.flat)
-- @param step integer
-- @param name string
-- @param x real tensor; NaN and infinities are not counted
function Log:histogram(step, name, x)
  step = step_of("log:histogram", step)
  expect.string("log:histogram: name", name, "a name")
  expect.tensor("log:histogram: x", x, "a tensor")
  pass_on(self, "histogram", step, name, x)
end

--- Logs histograms of a posterior to TensorBoard; other logs ignore it. They are mu, sigma and the
-- signal-to-noise ratio snr_db = 10 log10(|mu| / sigma) of each tensor ("sigma/mlp/linear_0/w"), or
-- of all together if there are more than 24 tensors; of point estimates they are the weights.
-- bnn.train writes them beside the metrics of evaluate.
--     log:posterior(10, objective.posterior)
-- @param step integer
-- @param q posterior; one that has no q:std() shows mu only
function Log:posterior(step, q)
  step = step_of("log:posterior", step)
  if not kinds.is_object(q, "posterior") then
    fail.expected("log:posterior: q", "a posterior", q)
  end
  if not takes(self, "histogram") then return end
  for _, row in ipairs(posterior_histograms.of(q)) do
    self.sink:histogram(step, row[1], row[2])
  end
end

--- Logs an image to TensorBoard; other logs ignore it.
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
--     local file = assert(bnn.log.csv "metrics.csv")
--     file:row(1, {accuracy = 0.9})
--     file:close()
function Log:close()
  if self.sink.close then self.sink:close() end
end

--- Makes a log that writes to a sink: a function of (step, rows), or a table with a method
-- write(step, rows).
--     local mine = bnn.log.new(function(step, rows) print(step, rows[1][1], rows[1][2]) end)
--     mine:row(100, {accuracy = 0.978})        -- prints 100 accuracy 0.978
-- @param sink function of (step, rows), or a table with a method write
-- @return log
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

--- Returns the log that a `log =` option means: a log, a sink, or the console for nil.
--     local console = bnn.log.resolve(nil)
-- @param given log, sink or nil
-- @return log
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

--- Makes the log of the terminal: `  10000 | test/accuracy                       0.979`.
--     bnn.log.console():row(10000, {["test/accuracy"] = 0.979})
-- @param opts table: out=io.stdout
-- @return log
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

--- Makes a log that stores everything, for tests and sweeps. log.blocks is a list of {step=,
-- rows=}, log.lines a list of the lines said, log:last(name) the latest value of a metric and its
-- step.
--     local log = bnn.log.memory()
--     log:row(100, {accuracy = 0.978})
--     log:last "accuracy" --> 0.978, 100
-- @return log
function M.memory()
  local blocks, lines = {}, {}
  local log = M.new{
    write = function(_, step, rows) blocks[#blocks + 1] = {step = step, rows = rows} end,
    say = function(_, line) lines[#lines + 1] = line end,
  }
  log.blocks, log.lines = blocks, lines
  --- Returns the latest value of a metric in a memory log, and its step; nil if it was never
  -- logged.
  --     local log = bnn.log.memory()
  --     log:row(100, {accuracy = 0.978})
  --     log:last "accuracy" --> 0.978, 100
  -- @param name string: a metric
  -- @return value, step; nil if the metric was never logged
  function log:last(name)
    for b = #self.blocks, 1, -1 do
      for _, row in ipairs(self.blocks[b].rows) do
        if row[1] == name then return row[2], self.blocks[b].step end
      end
    end
  end
  --- Returns the values of a metric in a memory log.
  --     local steps, values = log:curve "test/accuracy"
  -- @param name string
  -- @return steps i64 [n], values real [n], in logged order, the last value of a step; nil if the
  --   metric was never logged as a number
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

--- Makes a log that passes everything on to each of a list of logs or sinks.
--     local both = bnn.log.tee{bnn.log.console(), assert(bnn.log.jsonl "metrics.jsonl")}
-- @param logs list of logs or sinks
-- @return log
function M.tee(logs)
  local outs, sink = {}, {}
  expect.plain_table("bnn.log.tee", logs, "a list of logs")
  for i, log in ipairs(logs) do outs[i] = M.resolve(log) end
  local function share(method)
    sink[method] = function(_, ...)
      for _, out in ipairs(outs) do out[method](out, ...) end
    end
  end
  for _, method in ipairs{"write", "say", "close"} do share(method) end
  for _, method in ipairs{"histogram", "image"} do -- only if one takes it
    for _, out in ipairs(outs) do
      if takes(out, method) then share(method) end
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

--- Makes a log that writes a CSV file, one line per metric: step,name,value. Steps may have
-- different metrics; numbers read back exactly.
--     local file = assert(bnn.log.csv "metrics.csv")
--     file:row(100, {accuracy = 0.978})        -- 100,accuracy,0.978
-- @param path string
-- @param opts table: append=true adds to an existing file instead of replacing it
-- @return log; or nil, message if the file cannot be created
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

--- Makes a log that writes JSON lines, one object per block: {"step":0,"test/accuracy":0.979}.
--     local file = assert(bnn.log.jsonl "metrics.jsonl")
--     file:row(100, {accuracy = 0.978})        -- {"step":100,"accuracy":0.978}
-- Numbers read back exactly, NaN and infinities are null, and bytes that are not UTF-8 are written
-- as \xe9.
-- @param path string
-- @param opts table: append=true adds to an existing file instead of replacing it
-- @return log; or nil, message if the file cannot be created
function M.jsonl(path, opts)
  return file_log("bnn.log.jsonl", path, opts, log_text.json_ending, nil, log_text.json_line)
end

--- Makes a log that writes event files for TensorBoard: `tensorboard --logdir=DIR` shows metrics as
-- scalars (strings as text), histograms and images. Each log has its own file in the folder, so
-- that a resumed run adds to what is there.
--     local log = bnn.log.tensorboard("runs/first", {config = {lr = 1e-3}})
--     log:row(1, {{"loss", 0.5}})
--     log:histogram(1, "weights", bnn.randn(key, 100))
--     log:close()
-- @param dir string: a folder, created if missing
-- @param opts table:
--   config   the run's hyperparameters by name, for the table of runs
--   metrics  names of the metrics in that table
--   group    a name that runs of one configuration share
-- @return log; or nil, message if the folder or file cannot be created
function M.tensorboard(dir, opts)
  local sink, message = tensorboard.sink("bnn.log.tensorboard", dir, opts)
  if not sink then return nil, message end
  return M.new(sink)
end

-- The log of a file by its ending.
local function by_ending(path)
  return path:find "%.csv$" and M.csv or path:find "%.jsonl$" and M.jsonl or nil
end

--- Makes a log that writes CSV or JSON lines, by the ending of the file's name.
--     local log = bnn.log.file("training.jsonl", {append = true})
-- @param path string that ends in .csv or .jsonl
-- @param opts table: append=true adds to an existing file instead of replacing it
-- @return log; or nil, message if the file cannot be created or has another ending
function M.file(path, opts)
  expect.string("bnn.log.file", path, "a path")
  local make = by_ending(path)
  if not make then
    return nil, strings.message("%s: expected a name that ends in .csv or .jsonl", path)
  end
  return make(path, opts)
end

--- Reads a log file, CSV or JSON lines by its ending. If a resumed run has logged a step twice, the
-- last row counts. A line that is cut short is skipped with a notice.
--     local file = assert(bnn.log.csv "training.csv")
--     file:row(100, {accuracy = 0.978})
--     local steps, values = bnn.log.read "training.csv":curve "accuracy"     -- i64 [n], real [n]
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
