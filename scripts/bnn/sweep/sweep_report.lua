--- The report of a sweep: the page of its runs (bnn.run.report) with what is of the sweep in front.
local html = require "bnn.report.html"
local importance = require "bnn.search.analysis.importance".importance
local number = require "bnn.base.number"
local parts = require "bnn.report.report_parts"
local records = require "bnn.records.records"
local report = require "bnn.report.report"
local run_words = require "bnn.records.run_words"
local sweep_columns = require "bnn.sweep.sweep_columns"
local sweep_figures = require "bnn.sweep.sweep_figures"
local sweep_text = require "bnn.sweep.sweep_text"

local M = {}

local TRIALS_MOST = 20

local element = html.element

-- ---- what was asked ----

local function facts_of(result)
  local rows = {}
  for _, row in ipairs(result.plan.identity) do
    if row[2] ~= "" then rows[#rows + 1] = {row[1], element("code", nil, html.cut(row[2], 400))} end
  end
  return parts.grid({"", ""}, rows)
end

-- The command that makes the best trial again, of an experiment in a file.
local function best_command(result)
  local source, best = result.plan.source, result.best
  if not (best and source.is_file) then return nil end
  local config = result.plan:config_of(best.config, 1)
  config.threads, config.checkpoint_every = nil, nil
  return run_words.command(source.script, run_words.of_config(config))
end

local function lead(result)
  local plan, counts, best = result.plan, result.counts, result.best
  local command = best_command(result)
  return {
    element("p", nil, ("%s, %s: %d completed, %d pruned, %d failed."):format(
      parts.count(#result.list, "trial"), parts.count(counts.total, "run"), counts.completed,
      counts.pruned, counts.failed)),
    best and element("p", nil, "Best: ", sweep_text.trial(plan, result.ranking[1])),
    command and element("pre", nil, element("code", nil, command)),
  }
end

-- ---- sections ----

local function table_section(result)
  local columns, rows = result:columns(), {}
  for i, trial in ipairs(result.ranking) do
    if i <= TRIALS_MOST then rows[i] = result:row(trial) end
  end
  return parts.section("trials", "The best trials", {
    parts.grid(columns, rows),
    parts.left_out(#rows, #result.ranking, "trial", "`bnnlua -m runs list sweep=NAME` has all"),
    facts_of(result),
  })
end

local function importance_section(result)
  local values, parameters = sweep_columns.objective(result, 1), sweep_columns.parameters(result)
  local list = parameters[1] and importance{values = values, mode = result.plan.objectives[1].mode,
                                            parameters = parameters}
  if not list then return nil end
  local rows = {}
  for i, item in ipairs(list) do
    rows[i] = {item.name, number.format("%.0f%%", 100 * item.importance),
               element("div", {class = "bar", style = number.format("width:%.1f%%",
                 100 * item.importance)})}
  end
  return parts.section("importance", "What mattered", {
    parts.grid({"parameter", "importance", ""}, rows),
    parts.note("PED-ANOVA (Watanabe et al. 2023): how much the values among the best trials "
      .. "differ from those among all."),
  })
end

local function figures_section(figures)
  local drawn = {}
  for _, figure in ipairs(figures) do
    local file <close> = io.open(figure.path, "rb")
    local bytes = file and file:read "a"
    drawn[#drawn + 1] = bytes and element("figure", nil, element("div", {class = "picture"},
      html.picture("image/svg+xml", bytes, figure.title)),
      element("figcaption", nil, figure.title))
  end
  return parts.section("sweep-figures", "The sweep in pictures",
    element("div", {class = "cards"}, drawn))
end

--- Writes the report of a sweep.
-- @param result bnn.sweep.sweep_result
-- @param path string: the file
-- @param folder string: where the figures go
-- @return true; or nil, message
function M.write(result, path, folder)
  local plan = result.plan
  local figures, fault = sweep_figures.draw(result, folder, "svg")
  local runs, why = records.list{where = {"sweep=" .. plan.name}, runs = plan.root}
  if not runs then return nil, why end
  local before = {table_section(result), importance_section(result)}
  before[#before + 1] = figures and figures_section(figures) or parts.section("sweep-figures",
    "The sweep in pictures", {parts.note(fault)})
  return report.write(path, runs, {
    root = plan.root, group = plan.names, metric = plan.objectives[1].name,
    mode = plan.objectives[1].mode, title = "Sweep " .. plan.name, lead = lead(result),
    before = before, command = plan.opts.command,
  })
end

return M
