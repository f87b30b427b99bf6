--- The flags of early stopping: --stop_patience, --stop_min_delta, and --monitor, which names the
-- metric of the best checkpoint too.
local checkpoint_flags = require "bnn.checkpoint.checkpoint_flags"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local refusal = require "bnn.base.refusal"

local M = {}

--- Makes the stop option of bnn.train from the flags of common = {"stop", "monitor"}.
--     local cfg = {stop_patience = 5, monitor = "min:test/nll"}
--     local stop = bnn.early_stopping.from_flags(cfg, {monitor = "test/accuracy"})
--     print(stop.monitor, stop.mode, stop.patience)             -- test/nll, min, 5
-- @param cfg table: the configuration that an experiment's run gets
-- @param opts table: monitor=, mode="max": the metric without --monitor
-- @return table; or nil without --stop_patience
function M.from_flags(cfg, opts)
  local what = "bnn.early_stopping.from_flags"
  if type(cfg) ~= "table" then
    fail.expected(what, "the configuration that an experiment's run gets", cfg)
  end
  opts = options.check(what, opts, {
    monitor = {type = "string", required = true},
    mode = {type = "string", choices = {"max", "min"}, default = "max"},
  })
  local monitor, mode = checkpoint_flags.monitor_of(cfg, opts)
  if not cfg.stop_patience then
    refusal.assert_or_exit(not cfg.stop_min_delta, "--stop_min_delta needs --stop_patience=N")
    refusal.assert_or_exit(not cfg.monitor or cfg.checkpoint,
      "--monitor needs --stop_patience=N or --checkpoint=DIR, whose metric it names")
    return nil
  end
  return {monitor = monitor, mode = mode, patience = cfg.stop_patience,
          min_delta = cfg.stop_min_delta}
end

return M
