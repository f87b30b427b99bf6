--- Schedules: values that depend on the step (learning rates, the weight of the KL).
-- A schedule is any function of the step, counted from 1; a number is a schedule too, the constant.
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local numbers = require "bnn.base.number"
local options = require "bnn.base.options"
local waiting_schedule = require "bnn.inference.waiting_schedule"

local M = {}

local number = {type = "number", required = true}
local steps_kind = {type = "integer", min = 1, required = true}

--- Returns the value of a schedule at a step: a number is itself, a function is called.
--     bnn.schedule.value(bnn.schedule.linear{from = 0, to = 1, steps = 3}, 2)     -- 0.5
-- @param schedule number, or function(step) -> number
-- @param step integer, counted from 1
-- @param name string or nil: what it is, for the message ("beta")
-- @return number
-- Raises for anything else.
function M.value(schedule, step, name)
  if type(schedule) == "number" then return schedule end
  name = name or "schedule"
  if not options.accept(schedule, "function") then
    fail.expected(name, "a number or a function of the step", schedule)
  end
  local v = schedule(step)
  if type(v) == "number" then return v end
  fail("%s: expected a number from its function at step %s, got %s", name, step, kinds.shown(v))
end

-- The part of 1..steps that has passed: 0 at step 1, 1 at step `steps` and after.
local function progress(step, steps)
  if step >= steps then return 1 end
  return math.max(0, (step - 1) / (steps - 1))
end

--- Makes the schedule with the same value at every step.
--     bnn.schedule.constant(1e-3)(50)  -- 1e-3
-- @param v number
-- @return function(step) -> number
-- Raises if v is not a finite number.
function M.constant(v)
  local accepted, fault = options.accept(v, "number")
  if fault then fail("bnn.schedule.constant: expected %s, got %s", fault, kinds.show(v)) end
  return function() return accepted end
end

--- Makes a schedule that is `from` at step 1, `to` at step `steps` and after, and a line between.
--     local beta = bnn.schedule.linear{from = 0, to = 1e-3, steps = 2000}
--     beta(1000)                       -- 0.0005
-- @param opts table: from=, to=, numbers; steps=, an integer
-- @return function(step) -> number
function M.linear(opts)
  opts = options.check("bnn.schedule.linear", opts,
    {from = number, to = number, steps = steps_kind})
  return function(step)
    local t = progress(step, opts.steps)
    return (1 - t) * opts.from + t * opts.to -- in this form both ends are exact
  end
end

-- Half a cosine from 1 at t = 0 to 0 at t = 1.
local function half_cosine(t, from, to)
  return to + (from - to) * (1 + math.cos(math.pi * t)) / 2
end

--- Makes a schedule that is half a cosine from `from` at step 1 to `to`, 0, at step `steps`, and
-- `to` after.
--     local lr = bnn.schedule.cosine{from = 1e-3, steps = 10000}
-- @param opts table: from=, to=0, numbers; steps=, an integer
-- @return function(step) -> number
function M.cosine(opts)
  opts = options.check("bnn.schedule.cosine", opts,
    {from = number, to = {type = "number", default = 0}, steps = steps_kind})
  return function(step) return half_cosine(progress(step, opts.steps), opts.from, opts.to) end
end

--- Makes a schedule that rises in a line from `from`, 0, to `to` at step `steps`; the first step is
-- one part above `from`. Then comes `after`, a number or schedule whose step 1 is the step after
-- the rise; without it, `to`. `to` may be omitted if `after` has a value at step 1.
--     local lr = bnn.schedule.warmup{steps = 500,
--                                    after = bnn.schedule.cosine{from = 1e-3, steps = 9500}}
-- @param opts table: steps=, an integer; to=, from=0, numbers; after=, a number or schedule
-- @return function(step) -> number
-- Raises if neither to= nor after= is given, or after= has no value at step 1 to rise to.
function M.warmup(opts)
  opts = options.check("bnn.schedule.warmup", opts,
    {steps = steps_kind, to = "number", from = {type = "number", default = 0}, after = "schedule"})
  local to, after = opts.to, opts.after or opts.to
  if not after then fail "bnn.schedule.warmup: expected to= or after=, got neither" end
  to = to or M.value(after, 1, "bnn.schedule.warmup: after")
  return function(step)
    if step > opts.steps then
      return M.value(after, step - opts.steps, "bnn.schedule.warmup: after")
    end
    local t = step / opts.steps
    return (1 - t) * opts.from + t * to
  end
end

--- Makes a schedule of pieces, each the first step and the value, or schedule, from there on. A
-- schedule in a piece sees the steps of the training, not of the piece.
--     local lr = bnn.schedule.piecewise{{1, 1e-3}, {5001, 1e-4}}
--     lr(5000)                         -- 1e-3
-- @param pieces list of {first step, number or schedule}; the first begins at step 1
-- @return function(step) -> number
-- Raises unless the first steps rise from 1, and if there is no piece.
function M.piecewise(pieces)
  pieces = options.check("bnn.schedule.piecewise", pieces, {"table"})
  for i, piece in ipairs(pieces) do
    local first = i == 1 and 1 or pieces[i - 1][1] + 1
    local from = options.accept(piece[1], {type = "integer", min = first})
    if not from or i == 1 and from ~= 1 or not options.accept(piece[2], "schedule") then
      fail("bnn.schedule.piecewise: piece %d: expected {step, value}, steps rising from 1", i)
    end
  end
  if not pieces[1] then fail "bnn.schedule.piecewise: expected at least one piece, got none" end
  return function(step)
    local last = #pieces
    while last > 1 and pieces[last][1] > step do last = last - 1 end
    return M.value(pieces[last][2], step, "bnn.schedule.piecewise")
  end
end

--- Makes a schedule that is `from`, multiplied by `factor` after each `every` steps.
--     local lr = bnn.schedule.step{from = 1e-2, factor = 0.1, every = 1000}
--     lr(1001)                         -- 1e-3
-- @param opts table: from=, factor=, numbers; every=, an integer
-- @return function(step) -> number
function M.step(opts)
  opts = options.check("bnn.schedule.step", opts,
    {from = number, factor = number, every = steps_kind})
  return function(step) return opts.from * opts.factor ^ ((step - 1) // opts.every) end
end

--- Makes a schedule that is `from` at step 1 and is multiplied by `factor` over every `every`
-- steps, 1, smoothly; it never passes `to`, if given.
--     local lr = bnn.schedule.exponential{from = 1e-2, factor = 0.5, every = 1000, to = 1e-4}
-- @param opts table: from=, factor=, to=, numbers; every=1, an integer
-- @return function(step) -> number
function M.exponential(opts)
  opts = options.check("bnn.schedule.exponential", opts, {
    from = number, factor = {type = "number", above = 0, required = true},
    every = {type = "integer", min = 1, default = 1}, to = "number",
  })
  local bound = opts.to and (opts.to < opts.from and math.max or math.min)
  return function(step)
    local v = opts.from * opts.factor ^ ((step - 1) / opts.every)
    return bound and bound(v, opts.to) or v
  end
end

--- Makes a schedule that repeats every `period` steps: half a cosine from `from` to `to`, 0 (Zhang
-- et al. 2020, cyclical SG-MCMC: position (step - 1) mod period over period), or the first
-- `period` steps of another schedule, `of`.
--     local lr = bnn.schedule.cyclical{period = 2000, from = 1e-3}
-- @param opts table: period=, an integer; from=, to=0, numbers; or of=, a schedule
-- @return function(step) -> number
-- Raises unless it is given from= or of=, one of the two.
function M.cyclical(opts)
  opts = options.check("bnn.schedule.cyclical", opts,
    {period = steps_kind, from = "number", to = "number", of = "schedule"})
  if (opts.of == nil) == (opts.from == nil) or opts.of and opts.to then
    fail "bnn.schedule.cyclical: expected from= (and to=) or of=, one of the two"
  end
  return function(step)
    local position = (step - 1) % opts.period
    if opts.of then return M.value(opts.of, position + 1, "bnn.schedule.cyclical: of") end
    return half_cosine(position / opts.period, opts.from, opts.to or 0)
  end
end

--- Makes the weights of the KL in the M minibatches of an epoch, b_i = 2^(M-i) / (2^M - 1), which
-- add up to 1 (Blundell et al. 2015, section 3.4): `batches` is M. With data_size = N it is b_i M
-- / N, the beta of an ELBO whose likelihood is the mean over the batch.
--     local beta = bnn.schedule.blundell{batches = 468, data_size = 60000}
-- @param opts table: batches=, an integer; data_size=, a number
-- @return function(step) -> number
function M.blundell(opts)
  opts = options.check("bnn.schedule.blundell", opts,
    {batches = steps_kind, data_size = {type = "integer", min = 1}})
  local batches = opts.batches
  local scale = opts.data_size and batches / opts.data_size or 1
  return function(step)
    local i = (step - 1) % batches + 1
    return scale * 2.0 ^ -i / (1 - 2.0 ^ -batches) -- 2^M itself overflows at M = 1024
  end
end

-- ---- as text ----

-- What follows the name of each: numbers, of which those with a default may be left out. `steps`
-- is by default that of the whole training.
local forms = {
  linear = {"from", "to", "steps"},
  cosine = {"from", "to", "steps", defaults = {to = 0}},
  exponential = {"from", "factor", "every"},
  step = {"from", "factor", "every"},
  cyclical = {"period", "from", "to", defaults = {to = 0}},
}

-- The options of a form from its words; nil if they do not fit it.
local function form_options(form, words, steps)
  local opts, defaults = {}, form.defaults or {}
  if #words > #form then return nil end
  for i, name in ipairs(form) do
    local v = words[i] and numbers.parse(words[i]) or words[i] == nil and defaults[name]
    if words[i] == nil and name == "steps" then v = steps end
    local is_count = name == "steps" or name == "every" or name == "period"
    v = options.accept(v or nil, {type = is_count and "integer" or "number",
                                  min = is_count and 1 or nil})
    if not v then return nil, name == "steps" and words[i] == nil end
    opts[name] = v
  end
  return opts
end

local EXAMPLES = "a number or a schedule, such as cosine:1e-3:1e-5 or warmup:100:linear:1e-3:0"

local parse

local function parse_warmup(words, steps)
  local n = options.accept(words[1] and numbers.parse(words[1]), {type = "integer", min = 1})
  if not n or #words < 2 then return nil, EXAMPLES end
  local after, fault, ends = parse(table.concat(words, ":", 2), steps and math.max(1, steps - n))
  if not after then return nil, fault end
  return M.warmup{steps = n, after = after}, nil, ends
end

function parse(text, steps)
  local v = numbers.parse(text)
  if v then
    v = options.accept(v, "number")
    return v, EXAMPLES, {v}
  end
  local words = {}
  for word in (text .. ":"):gmatch "([^:]*):" do words[#words + 1] = word end
  local name = table.remove(words, 1)
  if name == "warmup" then return parse_warmup(words, steps) end
  local form = forms[name]
  if not form then return nil, EXAMPLES end
  local opts, lacks_steps = form_options(form, words, steps)
  if opts then return M[name](opts), nil, {opts.from, opts.to} end
  local pattern = ("%s:%s"):format(name, table.concat(form, ":"):upper())
  return nil, lacks_steps and pattern .. " with the number of steps" or pattern
end

--- Makes the schedule that a text describes, as flags of experiments are written: a number,
-- linear:FROM:TO, cosine:FROM:TO, exponential:FROM:FACTOR:EVERY, step:FROM:FACTOR:EVERY,
-- cyclical:PERIOD:FROM:TO, or warmup:STEPS: before any of these. linear and cosine end after the
-- steps in opts, or after those given as a third number.
--     local lr = bnn.schedule.parse("warmup:100:cosine:1e-3:1e-5", {steps = 5000})
--     print(lr(1), lr(100), lr(5000))                       --> 1e-05 0.001 1e-05
-- @param text string
-- @param opts table: steps= of the whole training
-- @return number or function of the step; or nil, message: what is expected
function M.parse(text, opts)
  opts = options.check("bnn.schedule.parse", opts, {steps = {type = "integer", min = 1}})
  local made, wanted, ends = parse(expect.string("bnn.schedule.parse", text), opts.steps)
  if not made then return nil, wanted end
  return made, ends
end

--- Ends the schedule of a flag after so many steps: for experiments that have epochs, whose steps
-- depend on the data. Others have a flag `steps`, by which their schedules end.
--     local cfg = {lr = 1e-3, epochs = 3}
--     local lr = bnn.schedule.with_steps(cfg.lr, cfg.epochs * 468)
-- @param schedule number or function of the step: those that know their steps stay as they are
-- @param steps integer: of the whole training
-- @return number or function of the step
-- Raises if steps is below 0.
function M.with_steps(schedule, steps)
  local what = "bnn.schedule.with_steps"
  local accepted, fault = options.accept(schedule, "schedule")
  if not accepted then fail("%s: expected %s, got %s", what, fault, kinds.show(schedule)) end
  if math.type(steps) ~= "integer" or steps < 0 then
    fail("%s: steps: expected an integer of at least 0, got %s", what, kinds.show(steps))
  end
  local text = waiting_schedule.text(schedule)
  return text and parse(text, math.max(steps, 1)) or schedule
end

return M
