--- Runs an experiment with a configuration and records it, as a program does that starts many: a
-- sweep.
local experiments = require "bnn.run.experiment"
local record_run = require "bnn.records.record_run"

local M = {}

--- Runs an experiment and records it.
-- @param experiment table, as bnn.load_experiment returns it
-- @param cfg table: its configuration; what is left out has its default
-- @param opts table: root=, script=, name=, labels=, facts= and resume=, as for
--   bnn.records.record_run.begin; log=, as for the experiment's run
-- @return what the experiment returned, metrics first; or nil, message if the run cannot be
--   recorded, and it has not begun. An error of the experiment is recorded and passes.
function M.run(experiment, cfg, opts)
  local whole = experiments.complete(experiment, cfg)
  local record, run = record_run.begin(experiment, whole, opts)
  if not record then return nil, run end
  local _ <close> = record:until_closed()
  return run(whole, opts.log)
end

return M
