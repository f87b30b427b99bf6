--- Schedules: values that depend on the step (learning rates, the weight of the KL).
-- A schedule is any function of the step, counted from 1; a number is a schedule too, the constant.
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local numbers = require "bnn.base.number"
local options = require "bnn.base.options"

local M = {}

local number = {type = "number", required = true}
local steps_kind = {type = "integer", min = 1, required = true}

--- The value of a schedule at a step: a number is itself, a function is asked. Anything else
-- raises.
-- @param name string or nil: what it is, for the message ("beta")
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

--- The same value at every step.
function M.constant(v)
  local accepted, fault = options.accept(v, "number")
  if fault then fail("bnn.schedule.constant: expected %s, got %s", fault, kinds.show(v)) end
  return function() return accepted end
end

--- linear{from=, to=, steps=}: `from` at step 1, `to` at step `steps` and after, a line between.
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

--- cosine{from=, to=0, steps=}: half a cosine from `from` at step 1 to `to` at step `steps` and
-- after.
function M.cosine(opts)
  opts = options.check("bnn.schedule.cosine", opts,
    {from = number, to = {type = "number", default = 0}, steps = steps_kind})
  return function(step) return half_cosine(progress(step, opts.steps), opts.from, opts.to) end
end

--- warmup{steps=, to=, from=0, after=}: rises in a line to `to` at step `steps`, the first step
-- being one part above `from`; then `after`, a number or schedule whose step 1 is the step after
-- the rise (without it: `to` for ever). `to` may be left out where `after` says it by its value at
-- step 1.
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

--- piecewise{{1, 1e-3}, {5001, 1e-4}, ...}: from each step on the value, or the schedule, beside
-- it. A schedule in a piece sees the steps of the program, not of the piece.
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

--- step{from=, factor=, every=}: `from`, multiplied by `factor` after each `every` steps.
function M.step(opts)
  opts = options.check("bnn.schedule.step", opts,
    {from = number, factor = number, every = steps_kind})
  return function(step) return opts.from * opts.factor ^ ((step - 1) // opts.every) end
end

--- exponential{from=, factor=, every=1, to=}: `from` at step 1, multiplied by `factor` over every
-- `every` steps, smoothly; where `to` is given it is never passed.
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

--- cyclical{period=, from=, to=0} falls by half a cosine in each cycle and starts again (Zhang et
-- al. 2020, cyclical SG-MCMC: position (step - 1) mod period over period); cyclical{period=, of=}
-- repeats the first `period` steps of any other schedule.
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

--- blundell{batches=, data_size=}: the weights of the KL in each of the M minibatches of an epoch,
-- b_i = 2^(M-i) / (2^M - 1), which add up to 1 (Blundell et al. 2015).
-- With data_size = N it is b_i M / N: the beta of an ELBO whose likelihood is the mean over the
-- batch.
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
-- @return number or function of the step; or nil, what is expected
function M.parse(text, opts)
  opts = options.check("bnn.schedule.parse", opts, {steps = {type = "integer", min = 1}})
  local made, wanted, ends = parse(expect.string("bnn.schedule.parse", text), opts.steps)
  if not made then return nil, wanted end
  return made, ends
end

return M
