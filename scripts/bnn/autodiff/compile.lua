--- Compiled functions: recorded once for each set of argument shapes, then replayed without Lua.
--
-- What a program depends on is the structure, shapes and types of the arguments; strings, booleans,
-- functions and other objects among them choose a program as well. Numbers, tensors and keys are
-- inputs: their values choose nothing. A compiled function keeps the programs of the 64 sets of
-- arguments that were used last; one that comes back later is recorded again.
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local trace_model = require "bnn.autodiff.trace_model"
local report = require "bnn.autodiff.compile_report"
local strings = require "bnn.base.strings"
local trace_call = require "bnn.autodiff.trace_call"
local fail = require "bnn.base.fail"
local pytree = require "bnn.params.pytree"

local M = {}

local KEPT = 64
local FIRST_NOTICE = 9 -- recordings; then at twice as many each time

local Compiled = {__name = "bnn.compiled"}
Compiled.__index = Compiled

-- What a plain function records, and a function that runs it.
local function build_forward(f, args)
  local call = trace_call.record(f, args, {what = "compile"})
  return call, function(run_args)
    return trace_call.results(call, call.program:run(trace_call.values(run_args)))
  end
end

local function build(f, args)
  if type(f) == "table" and f.build then return f:build(args) end -- grad, value_and_grad, vmap
  return build_forward(f, args)
end

-- Forgets the program that has not been used for the longest time.
local function forget_one(self)
  local oldest
  for signature, made in pairs(self.made) do
    if not oldest or made.used < self.made[oldest].used then oldest = signature end
  end
  self.made[oldest] = nil
  self.kept = self.kept - 1
end

-- A line on stderr when shapes keep changing: what did, and what helps.
local function notice(self, before, now)
  if self.recordings < self.next_notice then return end
  self.next_notice = 2 * self.recordings
  strings.notice(report.notice(self, before, now))
end

-- Records once more. Another coroutine may have made the same program while the function yielded.
local function make(self, signature, args)
  local call, run = build(self.f, args)
  self.recordings = self.recordings + 1
  local made = {run = run, call = call, number = self.recordings, used = self.calls}
  if not self.made[signature] then
    if self.kept >= KEPT then forget_one(self) end
    self.kept = self.kept + 1
  end
  self.made[signature] = made
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
  local made = self.made[signature] or make(self, signature, args)
  self.calls = self.calls + 1
  made.used = self.calls
  local results = made.run(args)
  return table.unpack(results, 1, results.n)
end

--- The programs that the function keeps, in the order in which they were made.
-- @return list of {ops=, buffers=, bytes= (of the buffers), flops= (multiply-adds of products,
--   going forward), gradient=, inputs= list of {argument=, path=, type=, shape=}, outputs= list of
--   {type=, shape=}, batch= {arguments=, rows=} or nil, mixer= the op that mixes the batch's rows
--   ("mean over axis 1"), or nil}
function Compiled:info()
  local list = {}
  for _, made in pairs(self.made) do list[#list + 1] = made end
  table.sort(list, function(a, b) return a.number < b.number end)
  for i, made in ipairs(list) do list[i] = report.info(made.call, self.batch) end
  return list
end

--- Prints what was made: for each program its ops, buffers, memory and multiply-adds, its inputs
-- and outputs, and whether the rows of a batch stay apart in it, so that an objective can split it.
-- @param opts table: out=io.stdout
-- @return the list that info gives
function Compiled:report(opts)
  opts = options.check("report", opts, {out = {type = "any", default = io.stdout}})
  local list = self:info()
  opts.out:write(tostring(self), "\n")
  for i, info in ipairs(list) do opts.out:write(report.text(i, info)) end
  return list
end

function Compiled.__tostring(self)
  return ("compiled %s: %s, recorded %s"):format(trace_call.place(self.f),
    report.count(self.kept, "program"), report.count(self.recordings, "time"))
end

-- A list of numbers of arguments from batch = 2 or {2, 3}.
local function batch_list(batch)
  if batch == nil then return nil end
  local list = type(batch) == "table" and batch or {batch}
  for _, i in ipairs(list) do
    if math.type(i) ~= "integer" or i < 1 then
      error(("compile: batch names argument %s, the number of an argument is wanted")
        :format(number.text(i)), 3)
    end
  end
  return list
end

--- Compiles a function of tensors, or what grad, value_and_grad and vmap give, as JAX's jit:
-- recorded once for each set of argument shapes, then replayed without Lua. Its values and bits are
-- those of f itself. Called in another function that is recorded, it becomes a part of that.
--     local step = bnn.compile(bnn.value_and_grad(loss))
--     print(step)    step:report()    step:info()
-- When it is recorded for the ninth time (and at 18, 36, ...), a line on stderr says what changed.
-- @param f function, or what grad, value_and_grad or vmap gave
-- @param opts table: batch= the argument (or a list of them) that holds a batch, rows along axis 1,
--   for what the report says of it; by default those behind the first
function M.compile(f, opts)
  opts = options.check("compile", opts, {batch = "any"})
  if not trace_call.is_callable(f) then fail.expected("bnn.compile", "a function", f) end
  local self = {f = f, batch = batch_list(opts.batch), made = {}, kept = 0, recordings = 0,
                calls = 0, next_notice = FIRST_NOTICE}
  return setmetatable(self, Compiled)
end

return M
