--- Logs: where the metrics of a run go. (Called as a function, bnn.log(x) is the op x:log().)
-- A log has `row(step, values)`, which calls `write(step, rows)` of its sink; rows is a list of
-- {name, value}. A sink is a function of (step, rows), or a table with a method `write` and
-- optionally `say(line)` for other lines of results, and `close()`. A sink of your own:
--     bnn.log.tee{bnn.log.console(), function(step, rows) print(step, rows[1][2]) end}
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local refusal = require "bnn.base.refusal"
local renamed = require "bnn.base.renamed"
local strings = require "bnn.base.strings"

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

--- Logs the metrics of one step.
--     log:row(100, {{"test/accuracy", 0.978}, {"test/nll", 0.071}})
-- @param step integer
-- @param values table: a list of {name, value} in display order, or name -> value, sorted by name;
--   names are unique and differ from "step"
-- Raises for another kind of step, name or value.
function Log:row(step, values)
  local at = math.type(step) and math.tointeger(step)
  if not at then fail("log:row: step: expected an integer, got %s", kinds.show(step)) end
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
function Log:write(step, rows)
  self.sink:write(step, rows)
end

--- Logs lines of results that are not metrics of a step, such as a table or a closing sentence.
-- Consoles print them and memory logs store them; CSV and JSON files leave them out.
--     log:say "abstains on 1.2% of the digits"
function Log:say(line)
  if self.sink.say then self.sink:say((line:gsub("\n$", ""))) end
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
  function log:last(name)
    for b = #self.blocks, 1, -1 do
      for _, row in ipairs(self.blocks[b].rows) do
        if row[1] == name then return row[2], self.blocks[b].step end
      end
    end
  end
  return log
end

--- Makes a log that passes everything on to each of a list of logs or sinks.
--     local both = bnn.log.tee{bnn.log.console(), assert(bnn.log.jsonl "metrics.jsonl")}
function M.tee(logs)
  local outs, sink = {}, {}
  expect.plain_table("bnn.log.tee", logs, "a list of logs")
  for i, log in ipairs(logs) do outs[i] = M.resolve(log) end
  for _, method in ipairs{"write", "say", "close"} do
    sink[method] = function(_, ...)
      for _, out in ipairs(outs) do out[method](out, ...) end
    end
  end
  return M.new(sink)
end

local function file_log(path, header, format)
  local out, message = io.open(path, "w")
  if not out then return nil, strings.shown(message) end
  if header then put(out, header) end
  return M.new{
    write = function(_, step, rows)
      if io.type(out) ~= "file" then fail("log:row: the file is closed: %s", path) end
      put(out, format(step, rows))
    end,
    close = function()
      if io.type(out) == "file" then out:close() end
    end,
  }
end

local function csv_text(v)
  local text = type(v) == "number" and number.exact(v) or number.text(v)
  return text:find '[,"\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
end

--- Makes a log that writes a CSV file, one line per metric: step,name,value. Steps may have
-- different metrics; numbers read back exactly.
--     local file = assert(bnn.log.csv "metrics.csv")
--     file:row(100, {accuracy = 0.978})        -- 100,accuracy,0.978
-- @return log; or nil, message if the file cannot be created
function M.csv(path)
  expect.string("bnn.log.csv", path, "a path")
  return file_log(path, "step,name,value\n", function(step, rows)
    local lines = {}
    for i, row in ipairs(rows) do
      lines[i] = ("%d,%s,%s\n"):format(step, csv_text(row[1]), csv_text(row[2]))
    end
    return table.concat(lines)
  end)
end

local function json_text(v)
  if type(v) == "boolean" then return tostring(v) end
  if type(v) == "number" then
    return (v ~= v or v == math.huge or v == -math.huge) and "null" or number.exact(v)
  end
  local function escape(c) return ("\\u%04x"):format(c:byte()) end
  return '"' .. strings.utf8(v):gsub('[\0-\31\127"\\]', escape) .. '"'
end

--- Makes a log that writes JSON lines, one object per block: {"step":0,"test/accuracy":0.979}.
--     local file = assert(bnn.log.jsonl "metrics.jsonl")
--     file:row(100, {accuracy = 0.978})        -- {"step":100,"accuracy":0.978}
-- Numbers read back exactly, NaN and infinities are null, and bytes that are not UTF-8 are written
-- as \xe9.
-- @return log; or nil, message if the file cannot be created
function M.jsonl(path)
  expect.string("bnn.log.jsonl", path, "a path")
  return file_log(path, nil, function(step, rows)
    local fields = {('"step":%d'):format(step)}
    for _, row in ipairs(rows) do
      fields[#fields + 1] = json_text(row[1]) .. ":" .. json_text(row[2])
    end
    return "{" .. table.concat(fields, ",") .. "}\n"
  end)
end

renamed.functions(M, "bnn.log", {of = "resolve"})

return M
