--- Pruners: rules that end trials of a sweep which promise little, from what they report while they
-- run. help "pruners" compares them.
--
-- Each function of this module makes one; a sweep takes it, its text, or a function of one's own:
--     local p = bnn.pruner.asha{eta = 4, min = 100}
--     local p = bnn.pruner.new{"asha:eta=4:min=100", mode = "max"}
--     local p = bnn.pruner.new{function(trial, history, step) return step >= 500 end}
-- A decision is a function of reports alone, so that it is the same again after a crash. All take
-- patience= and delta= too: a trial is left alone until its best value before the last patience + 1
-- reports beats the best of these by more than delta. With values that are means over seeds, what a
-- trial reports is up to the sweep.
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local pruner_halving = require "bnn.search.pruners.pruner_halving"
local pruner_patience = require "bnn.search.pruners.pruner_patience"
local pruner_percentile = require "bnn.search.pruners.pruner_percentile"
local pruner_text = require "bnn.search.pruners.pruner_text"
local pruner_wilcoxon = require "bnn.search.pruners.pruner_wilcoxon"
local reports = require "bnn.search.pruners.pruner_reports"

local M = {}

-- name -> {options= for options.check, check= function(opts) -> fault or nil, auto= the option for
-- which "auto" stands for nothing, needs= function(opts) -> "reports", "seeds" or "nothing",
-- decide= function(opts, case) -> boolean, reason}; a case is {trial=, history=, name=, sign=,
-- reports= its own as pruner_reports.read has them, step= the last of them, asked= the step asked
-- for}.
local rules = {
  none = {
    options = {}, decide = function() return false end, needs = function() return "nothing" end,
  },
  median = pruner_percentile.median, percentile = pruner_percentile.percentile,
  threshold = pruner_percentile.threshold, asha = pruner_halving.asha,
  hyperband = pruner_halving.hyperband, wilcoxon = pruner_wilcoxon.wilcoxon,
  patient = pruner_patience.patient,
}

local MODES = {type = "string", choices = {"min", "max"}}

local function spec_of(rule)
  local spec = {mode = MODES, name = "string"}
  for name, kind in pairs(pruner_patience.OPTIONS) do spec[name] = kind end
  for name, kind in pairs(rule.options) do spec[name] = kind end
  return spec
end

-- ---- objects ----

local Pruner = {__name = "bnn.pruner"}
Pruner.__index = Pruner

-- What rules see of a trial: its reports up to a step.
local function case_of(self, trial, history, step)
  local case = {
    trial = trial, history = history, name = self.name or "", asked = step,
    sign = self.mode == "max" and -1 or 1,
  }
  case.reports = reports.read(trial, case.sign, step)
  case.step = #case.reports > 0 and case.reports[#case.reports][1] or nil
  return case
end

-- What a user's function says.
local function ask(f, trial, history, step)
  local answer, reason = f(trial, history, step)
  if answer ~= nil and type(answer) ~= "boolean" then
    fail("bnn.pruner: expected true or false from the function, got %s", kinds.show(answer))
  end
  return answer or false, answer and reason or nil
end

local function decide(self, case)
  if self.patience and self.kind ~= "patient" then
    if not pruner_patience.is_over(self.options, case) then return false end
  end
  if self.kind == "function" then
    return ask(self.options.decide, case.trial, case.history, case.asked or case.step)
  elseif not case.step and self.needs ~= "seeds" then
    return false
  end
  return rules[self.kind].decide(self.options, case)
end

--- Decides whether a trial ends here.
--     local p = bnn.pruner.median{startup = 2, mode = "max"}
--     local done = {
--       {number = 1, state = "completed", value = 0.9, reports = {{10, 0.5}, {20, 0.9}}},
--       {number = 2, state = "completed", value = 0.8, reports = {{10, 0.6}, {20, 0.8}}},
--     }
--     local trial = {number = 3, state = "running", reports = {{10, 0.2}}}
--     print(p:should_prune(trial, done, 10))            -- true and why
-- @param trial table: number=; reports= a list of {step, value}; for a rule over seeds seeds= a
--   list of {seed=, value=}
-- @param history list of trials with state= "completed", "pruned", "failed" or "running" and, of
--   completed ones, value=; the trial itself may be among them
-- @param step integer: reports up to this one count (default: all)
-- @return boolean, and if it is true a text that says why
function Pruner:should_prune(trial, history, step)
  local what = "pruner:should_prune"
  expect.plain_table(what .. ": trial", trial, "a trial, a table")
  expect.plain_table(what .. ": history", history, "a list of trials")
  return decide(self, case_of(self, trial, history, step))
end

-- The pruner as text that bnn.pruner.new reads, "asha:eta=4:min=100": options that are not the
-- default. A function is "function".
function Pruner:__tostring()
  if self.kind == "function" then return "function" end
  local spec = {}
  for name, kind in pairs(spec_of(rules[self.kind])) do
    if name ~= "mode" and name ~= "name" then spec[name] = kind end
  end
  return pruner_text.write(self.kind, self.options, spec)
end

local function object(kind, needs, opts)
  return setmetatable({
    kind = kind, needs = needs, options = opts, mode = opts.mode, name = opts.name,
    patience = opts.patience,
  }, Pruner)
end

-- ---- making them ----

-- A pruner; or nil, message.
local function build(kind, given)
  local rule = rules[kind]
  if rule.auto and type(given) == "table" and given[rule.auto] == "auto" then
    local copy = {}
    for name, value in pairs(given) do copy[name] = name ~= rule.auto and value or nil end
    given = copy
  end
  local opts, fault = options.read(given, spec_of(rule))
  fault = fault or rule.check and rule.check(opts)
  if fault then return nil, fault end
  return object(kind, rule.needs and rule.needs(opts) or "reports", opts)
end

local function make(what, kind, given)
  local made, fault = build(kind, given)
  if not made then fail("%s: %s", what, fault) end
  return made
end

--- Makes the pruner that ends no trial.
--     bnn.pruner.none()
-- @param opts table without options, or nil
-- @return pruner
function M.none(opts) return make("bnn.pruner.none", "none", opts) end

--- Makes a pruner that ends a trial whose best value so far is worse than the median of what
-- completed trials reported at the same step: Vizier's median stopping rule (Golovin et
-- al. 2017), as in Optuna.
--     bnn.pruner.median{warmup = 100, interval = 50}
-- Values that are nan do not count; a trial that reported nothing else is ended.
-- @param opts table: startup=5 completed trials are needed; warmup=0 is the first step at which a
--   trial may end; interval=1 steps have one decision, at their first report; least=1 trials must
--   have reported at that step; patience=, delta=; mode="min" (set by a sweep)
-- @return pruner
function M.median(opts) return make("bnn.pruner.median", "median", opts) end

--- Makes a pruner as bnn.pruner.median does, with another percentile: 25 keeps trials whose best
-- value so far is within the best quarter of those that completed.
--     bnn.pruner.percentile{percentile = 75, startup = 10}
-- @param opts table: percentile=25, in [0, 100], by linear interpolation; startup=, warmup=,
--   interval=, least=, patience=, delta=, mode= as there
-- @return pruner
function M.percentile(opts) return make("bnn.pruner.percentile", "percentile", opts) end

--- Makes a pruner that ends a trial whose value leaves bounds, or is nan.
--     bnn.pruner.threshold{upper = 10, warmup = 100}
-- @param opts table: lower=, upper=, one or both; warmup=0, interval=1, patience=, delta= as for
--   bnn.pruner.median
-- @return pruner
function M.threshold(opts) return make("bnn.pruner.threshold", "threshold", opts) end

--- Makes a pruner that ends a trial when its best value is that old: what is called patience of
-- early stopping.
--     bnn.pruner.patient{patience = 10, delta = 1e-3}
-- @param opts table: patience= so many reports and one more may pass without a better value;
--   delta=0 by which the older value must be better; mode=
-- @return pruner
function M.patient(opts) return make("bnn.pruner.patient", "patient", opts) end

--- Makes the pruner of asynchronous successive halving (ASHA; Li et al. 2020): of the trials that
-- come to a rung the best 1/eta go on, and no trial waits for another.
--     bnn.pruner.asha{eta = 4, min = 100}
-- Rung r is at step min * eta^(s + r). The first value that a trial reports there or later joins
-- the rung; it must be within the best floor(n / eta) of the n there, or, if n < eta, be the best.
-- Equal values go on; nan ends a trial at a rung.
-- @param opts table: eta=4; min= step of the first rung (default, also "auto": a hundredth of the
--   last step of the first completed trial, before which nothing ends; at least 1); s=0 rungs are
--   left out; patience=, delta=, mode= as for bnn.pruner.median
-- @return pruner
function M.asha(opts) return make("bnn.pruner.asha", "asha", opts) end

--- Makes the Hyperband pruner (Li et al. 2018): successive halvings side by side, some of which
-- leave trials alone for longer.
--     bnn.pruner.hyperband{min = 50, max = 4000}
-- There are B = floor(log(max / min) / log(eta)) + 1 brackets, b = 0 to B - 1, each an asha with
-- s = b among its own trials. A trial's bracket is the CRC-32 of "NAME_NUMBER" modulo the sum of
-- the shares ceil(B eta^k / (k + 1)), k = B - 1 - b, as in Optuna.
-- @param opts table: eta=3; min=1 step of the first rung; max= steps of a full trial (default, also
--   "auto": 1 more than the last step of the first completed trial, before which nothing ends);
--   name="" of the sweep (set by a sweep); patience=, delta=, mode= as for bnn.pruner.median
-- @return pruner
function M.hyperband(opts) return make("bnn.pruner.hyperband", "hyperband", opts) end

--- Makes a pruner for objectives that are means over seeds (or splits, folds): it ends a trial if
-- Wilcoxon's signed-rank test finds it worse than the best trial on the seeds that both have.
--     bnn.pruner.wilcoxon{p = 0.05, startup = 4}
-- The test is one-sided with zeros split. A trial whose mean is at least as good is never ended.
-- The test is repeated after each seed, so that a trial as good as the best is ended more often
-- than with probability p (Pocock 1977).
-- @param opts table: p=0.1; startup=2 pairs at least; over="seeds": a trial's seeds= {seed=,
--   value=}, or "steps": its reports, for an objective that reports each split as a step;
--   patience=, delta=, mode= as for bnn.pruner.median
-- @return pruner
function M.wilcoxon(opts) return make("bnn.pruner.wilcoxon", "wilcoxon", opts) end

-- The options of a table beside its entry 1, and those of a text.
local function merged(given, more)
  local opts = {}
  for name, value in pairs(more or {}) do opts[name] = value end
  for name, value in pairs(given) do
    if name ~= 1 then opts[name] = value end
  end
  return opts
end

local function from_text(what, text, given)
  local kind, opts = pruner_text.parse(text, rules)
  if not kind then fail("%s: %s", what, opts) end
  return make(("%s: %s"):format(what, kind), kind, merged(given, opts))
end

local function from_function(what, f, given)
  local spec = spec_of{options = {}}
  local opts = options.check(what, merged(given), spec)
  opts.decide = f
  return object("function", "reports", opts)
end

-- One that is made already, with the mode and the name of a sweep.
local function adopt(what, made, given)
  local opts = options.check(what, merged(given), {mode = MODES, name = "string"})
  if made.mode and opts.mode and made.mode ~= opts.mode then
    fail("%s: mode: expected %q, which the pruner was made with, got %q", what, made.mode,
      opts.mode)
  end
  local own = merged(made.options, nil)
  own.mode, own.name = made.mode or opts.mode, made.name or opts.name
  return object(made.kind, made.needs, own)
end

--- Makes a pruner from a text, as a command line has it.
--     local p, fault = bnn.pruner.parse "median:startup=10:warmup=100"
-- @param text string: NAME, or NAME:OPTION=VALUE:OPTION=VALUE
-- @return pruner; or nil, message: 'expected one of asha, hyperband, ..., got "ahsa" (did you mean
--   asha?)'
function M.parse(text)
  local kind, opts = pruner_text.parse(expect.string("bnn.pruner.parse: text", text), rules)
  if not kind then return nil, opts end
  local made, fault = build(kind, opts)
  if not made then return nil, kind .. ": " .. fault end
  return made
end

--- Makes a pruner from what a user gives for one.
--     bnn.pruner.new "asha:eta=4:min=100"
--     bnn.pruner.new{"asha", mode = "max", eta = 4, min = 100}
--     bnn.pruner.new{bnn.pruner.median{startup = 10}, mode = "max", name = "beta"}
--     bnn.pruner.new{function(trial, history, step) return step > 100 and #history > 5, "late" end}
-- @param spec what it is, or a table with that as [1]: a text NAME:OPTION=VALUE:..., a pruner, or a
--   function(trial, history, step) -> boolean and a reason (nothing: no pruning); beside it
--   mode="min" or "max"; name= of the sweep, which Hyperband hashes; with a text or function the
--   options of the pruner, patience= and delta=
-- @return pruner: p:should_prune(trial, history, step); p.kind its name; p.needs "reports", "seeds"
--   or "nothing"; tostring(p) its text
-- Raises on an unknown name or option, with the nearest that there is.
function M.new(spec)
  local what = "bnn.pruner.new"
  if type(spec) ~= "table" or kinds.is_object(spec, "pruner") then spec = {spec} end
  spec = expect.plain_table(what, spec, "a table")
  local rule = spec[1]
  if type(rule) == "table" and not getmetatable(rule) then
    return M.new(merged(spec, merged(rule, {rule[1]})))
  end
  if rule == nil then rule = "none" end
  if kinds.is_object(rule, "pruner") then return adopt(what, rule, spec) end
  if type(rule) == "string" then return from_text(what, rule, spec) end
  if options.accept(rule, "function") then return from_function(what, rule, spec) end
  fail.expected(what .. ": [1]", "a text as asha:eta=4, a pruner or a function", rule)
end

return M
