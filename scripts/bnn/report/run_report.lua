--- What bnn.run has of reports. The rest of this room is loaded when one is written.
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local records = require "bnn.records.records"
local run_filter = require "bnn.records.run_filter"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"

local M = {}

local spec = {
  where = "any", runs = "string", output = {type = "string", default = "report.html"},
  group = {type = "string", list = true, default = {"config"}}, metric = "string",
  mode = {type = "string", choices = {"max", "min"}}, title = "string",
}

-- Whether runs have the names that a report is to group and to order by; or nil, message.
local function check_names(runs, opts)
  local _, known = run_filter.names(runs)
  for _, name in ipairs(opts.group) do
    if name ~= "config" then
      local ok, fault = run_filter.check_name(runs, name, known)
      if not ok then return nil, fault end
    end
  end
  if not opts.metric then return true end
  return run_filter.check_name(runs, opts.metric, known)
end

--- Writes a report of runs: one HTML file of less than a megabyte that needs no network and no
-- other file. It has the best configurations, tables of what differs, learning curves with the
-- deviation over seeds, the metrics and figures of the uncertainty evaluation, failures with their
-- tracebacks, and where all of it comes from.
--     local path, message = bnn.run.report{where = {"status=completed"}, output = "mnist.html"}
-- @param opts table:
--   where    filters, as for bnn.run.list; default: all runs
--   runs     the folder of runs (default $BNNLUA_RUNS, else runs)
--   output   the file, "report.html"; missing folders are made
--   group    names of the flags that make a configuration; {"config"}, the default: all that
--            differ and change the result, but the seed
--   metric   what the best configuration is best by (default: accuracy, or the next that is known)
--   mode     "max" or "min": which values of it are better (default: by its name, else "max")
--   title    of the page (default: the names of the experiments)
-- @return the path; or nil, message
-- Raises if the path is empty.
function M.report(opts)
  local what = "bnn.run.report"
  opts = options.check(what, opts, spec)
  if opts.output == "" then fail("%s: output: expected the path of a file, got ''", what) end
  local runs, fault = records.list{where = opts.where, runs = opts.runs}
  if not runs then return nil, fault end
  opts.root = run_folder.root(opts.runs)
  if not runs[1] then return nil, strings.message("%s: no run to report", opts.root) end
  local ok, why = check_names(runs, opts)
  if ok then ok, why = require "bnn.report.report".write(opts.output, runs, opts) end
  if not ok then return nil, why end
  return opts.output
end

return M
