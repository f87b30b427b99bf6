--- Early stopping: ends a training when a metric of evaluate has not improved for some evaluations.
--
-- A stopper is plain data but for its methods: checkpoints store what `state` gives, so that a
-- resumed training stops where one that never stopped would have.
local best_checkpoint = require "bnn.checkpoint.best_checkpoint"
local fail = require "bnn.base.fail"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

local WHAT = "bnn.train: stop"

local spec = {
  monitor = "string",
  mode = {type = "string", choices = {"max", "min"}},
  patience = {type = "integer", min = 1, required = true},
  min_delta = {type = "number", min = 0, default = 0},
}

--- Checks the stop option of bnn.train. The metric and mode of the best checkpoint are those of the
-- stop unless it names its own.
-- @param given table
-- @param train table: bnn.train's own checked options
function M.check(given, train)
  local opts, best = options.check(WHAT, given, spec), train.checkpoint or {}
  if not (train.evaluate and train.log_every) then
    fail("%s: expected evaluate= and log_every=, by which the metric is seen, got %s", WHAT,
      train.evaluate and "no log_every" or "no evaluate")
  end
  if not opts.monitor then
    opts.monitor, opts.mode = best.monitor, opts.mode or best.mode
  end
  if not opts.monitor then fail("%s: monitor: expected a metric of evaluate, got nothing", WHAT) end
  opts.mode = opts.mode or "max"
  return opts
end

local Stopper = {}
Stopper.__index = Stopper

--- Makes a stopper that has seen nothing.
-- @param opts table as `check` returns it
function M.new(opts)
  return setmetatable({opts = opts, bad = 0}, Stopper)
end

--- Describes what it stops by: "test/accuracy (max), patience 5, min_delta 0".
function Stopper:__tostring()
  local opts = self.opts
  return number.format("%s, patience %d, min_delta %s",
    best_checkpoint.text(opts.monitor, opts.mode), opts.patience, opts.min_delta)
end

--- Looks at the metrics of a step. A step that was seen already counts once.
-- @param rows list of {name, value}, or table name -> value, as evaluate returns them
-- @return boolean: whether the training is to end
function Stopper:look_at(step, rows)
  local opts = self.opts
  if self.at ~= step then
    local value = best_checkpoint.value_in(rows, opts.monitor, "stop")
    local gain = self.value and (opts.mode == "max" and value - self.value or self.value - value)
    if value == value and (not gain or gain > opts.min_delta) then
      self.value, self.best_step, self.bad = value, step, 0
    else
      self.bad = self.bad + 1
    end
    self.at = step
  end
  return self.bad >= opts.patience
end

--- Says on stderr why the training ended.
function Stopper:say()
  local since = self.value and number.format("%s of step %d", number.fixed(self.value, 3),
    self.best_step) or "nothing"
  strings.notice(strings.message("stopped at step %d: %s has not improved on %s for %d evaluations",
    self.at, self.opts.monitor, since, self.bad))
end

--- Returns what it has seen, as plain data.
function Stopper:state()
  return {value = self.value, best_step = self.best_step, bad = self.bad, at = self.at}
end

--- Restores what `state` returned; anything else is left out.
function Stopper:restore(state)
  if type(state) ~= "table" or type(state.bad) ~= "number" then return end
  self.value, self.best_step = tonumber(state.value), math.tointeger(state.best_step)
  self.bad, self.at = state.bad, math.tointeger(state.at)
end

return M
