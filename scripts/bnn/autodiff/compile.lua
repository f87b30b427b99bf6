--- Compiled functions: recorded once for each set of argument shapes, then replayed without Lua.
--
-- The structure, shapes and types of the arguments select a program; strings, booleans, functions
-- and other objects among them do so as well. Numbers, tensors and keys are inputs: their values do
-- not matter. A compiled function caches its 64 most recently used programs; one that was evicted
-- is recorded again.
local expect = require "bnn.base.expect"
local lru_cache = require "bnn.base.lru_cache"
local options = require "bnn.base.options"
local trace_model = require "bnn.autodiff.trace_model"
local report = require "bnn.autodiff.compile_report"
local strings = require "bnn.base.strings"
local trace_call = require "bnn.autodiff.trace_call"
local pytree = require "bnn.params.pytree"

local M = {}

local CAPACITY = 64    -- programs
local FIRST_NOTICE = 9 -- recordings; then at twice as many each time

local Compiled = {__name = "bnn.compiled"}
Compiled.__index = Compiled

-- What a plain function records, and a function that runs it.
local function build_forward(f, args)
  local call = trace_call.record(f, args, {what = "bnn.compile"})
  return call, function(run_args)
    return trace_call.results(call, call.program:run(trace_call.values(run_args)))
  end
end

local function build(f, args)
  if type(f) == "table" and f.build then return f:build(args) end -- grad, value_and_grad, vmap
  return build_forward(f, args)
end

-- A line on stderr when shapes keep changing: what did, and what helps.
local function notice(self, before, now)
  if self.recordings < self.next_notice then return end
  self.next_notice = 2 * self.recordings
  strings.notice(report.notice(self, before, now))
end

-- Records a program for these arguments.
local function make(self, signature, args)
  local call, run = build(self.f, args)
  self.recordings = self.recordings + 1
  local made = self.programs:put(signature, {run = run, call = call, number = self.recordings})
  local now = report.describe(args)
  notice(self, self.last, now)
  self.last = now
  return made
end

function Compiled.__call(self, ...)
  if trace_model.active() then return self.f(...) end -- becomes part of what is being recorded
  local args = table.pack(...)
  local parts = {}
  for i = 1, args.n do parts[i] = pytree.signature(args[i]) end
  local signature = table.concat(parts, "|")
  local made = self.programs:get(signature) or make(self, signature, args)
  local results = made.run(args)
  return table.unpack(results, 1, results.n)
end

--- Lists the programs that the function caches, in the order of their recording.
--     local compiled = bnn.compile(function(v) return v * 2 end)
--     compiled(bnn.ones(3))
--     print(compiled:info()[1].ops) --> 1
-- @return list of {ops=, buffers=, bytes= (of the buffers), flops= (multiply-adds of products in
--   the forward pass), gradient=, inputs= list of {argument=, path=, type=, shape=}, outputs= list
--   of {type=, shape=}, batch= {arguments=, rows=} or nil, mixer= the op that mixes the batch's
--   rows ("mean over axis 1"), or nil}
function Compiled:info()
  local list = self.programs:values()
  table.sort(list, function(a, b) return a.number < b.number end)
  for i, made in ipairs(list) do list[i] = report.info(made.call, self.batch) end
  return list
end

--- Prints each program: its ops, buffers, memory and multiply-adds, its inputs and outputs, and
-- whether it keeps the rows of a batch separate, so that an objective can split it.
--     local compiled = bnn.compile(function(v) return v * 2 end)
--     compiled(bnn.ones(3))
--     compiled:report()
-- @param opts table: out=io.stdout
-- @return the list that info returns
function Compiled:report(opts)
  opts = options.check("compiled:report", opts, {out = {type = "any", default = io.stdout}})
  local list = self:info()
  opts.out:write(tostring(self), "\n")
  for i, info in ipairs(list) do opts.out:write(report.text(i, info)) end
  return list
end

function Compiled.__tostring(self)
  return ("compiled %s: %s, recorded %s"):format(trace_call.place(self.f),
    report.count(self.programs.size, "program"), report.count(self.recordings, "time"))
end

-- A list of numbers of arguments from batch = 2 or {2, 3}.
local function batch_list(batch)
  if batch == nil then return nil end
  local list = type(batch) == "table" and batch or {batch}
  for _, i in ipairs(list) do
    expect.value("bnn.compile: batch: number of an argument", i, {type = "integer", min = 1})
  end
  return list
end

--- Compiles a function of tensors, as JAX's jit: records it once for each set of argument shapes,
-- then replays it without Lua. It also compiles what grad, value_and_grad and vmap return.
--     local step = bnn.compile(bnn.value_and_grad(loss))
--     step(params)             -- records a program
--     step(params)             -- replays it
--     step:report()
-- The values and bits are those of f itself. Inside another function that is recorded, it becomes
-- part of that recording. At the ninth recording (and the 18th, 36th, ...), a line on stderr
-- explains what changed.
-- @param f function, or what grad, value_and_grad or vmap returned
-- @param opts table: batch= the argument (or a list of them) that holds a batch, rows along axis 1,
--   for the report; default: all arguments after the first
-- @return compiled function: called as f; compiled:report() prints its programs
-- Raises if f reads a value while it is recorded (item, totable, a comparison).
function M.compile(f, opts)
  opts = options.check("bnn.compile", opts, {batch = "any"})
  expect.callable("bnn.compile: f", f)
  return setmetatable({
    f = f, batch = batch_list(opts.batch), programs = lru_cache.new(CAPACITY), recordings = 0,
    next_notice = FIRST_NOTICE,
  }, Compiled)
end

return M
