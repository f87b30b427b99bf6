--- The report of runs as one page: its sections, in order, and the file that they go to.
local core = require "bnn.core"
local folders = require "bnn.base.folders"
local overview = require "bnn.report.report_overview"
local report_page = require "bnn.report.report_page"
local report_view = require "bnn.report.report_view"

local M = {}

--- The sections of a report in order: their ids, and functions(view, opts) that return a section or
-- nil.
M.SECTIONS = {
  {"best", overview.best}, {"results", require "bnn.report.report_results".section},
  {"curves", require "bnn.report.report_curves".section},
  {"uncertainty", require "bnn.report.report_uncertainty".section},
  {"figures", require "bnn.report.report_figures".section},
  {"failures", require "bnn.report.report_failures".section},
  {"provenance", require "bnn.report.report_provenance".section},
  {"commands", function(view, opts) return overview.commands(view, opts.command) end},
}

--- Renders runs as a page.
-- @param runs list of runs, oldest first, as bnn.run.list gives them; without one there are only
--   the sections in front and behind
-- @param opts table: root= their folder, group= list of names or {"config"}, metric=, mode=,
--   title= or nil, command= what made the page or nil, lead= markup in place of the usual or nil,
--   before=, after= lists of sections to put in front and behind, or nil; without= set of ids of
--   sections to leave out, or nil
-- @return string
function M.render(runs, opts)
  local view = runs[1] and report_view.new(runs, opts)
  local sections = table.move(opts.before or {}, 1, #(opts.before or {}), 1, {})
  for _, row in ipairs(view and M.SECTIONS or {}) do
    local id, make = table.unpack(row)
    if not (opts.without and opts.without[id]) then sections[#sections + 1] = make(view, opts) end
  end
  table.move(opts.after or {}, 1, #(opts.after or {}), #sections + 1, sections)
  return report_page.render{title = opts.title or overview.title(view),
                            lead = opts.lead or overview.lead(view), sections = sections}
end

--- Writes a page of runs to a file, atomically; missing folders are made.
-- @param path string
-- @param opts table: as for M.render
-- @return true; or nil, message
function M.write(path, runs, opts)
  local ok, fault = folders.make_above(path)
  if not ok then return nil, fault end
  return core.save_bytes(path, M.render(runs, opts))
end

return M
