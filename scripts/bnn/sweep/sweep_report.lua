--- The report of a sweep: the page of its runs (bnn.run.report) with what is of the sweep in front.
local html = require "bnn.html.html"
local number = require "bnn.base.number"
local parts = require "bnn.report.report_parts"
local records = require "bnn.records.records"
local report = require "bnn.report.report"
local run_words = require "bnn.records.run_words"
local strings = require "bnn.base.strings"
local sweep_columns = require "bnn.sweep.sweep_columns"
local sweep_figures = require "bnn.sweep.sweep_figures"
local sweep_table = require "bnn.sweep.sweep_table"
local sweep_text = require "bnn.sweep.sweep_text"

local M = {}

local TRIALS_MOST, FAILURES_MOST, PRUNED_MOST = 20, 20, 50
local BAR_WIDTH = 14 -- of an importance of 1, in em
local FIGURE_BYTES = 120000 -- a larger drawing is taken as a picture of pixels
local ALL_FIGURES_BYTES = 450000

local element = html.element

-- ---- the head ----

local function card(title, value, unit, ...)
  return element("div", {class = "card"}, element("h3", {style = "margin-top:0"}, title),
    element("div", {class = "value"}, value, " ", element("span", nil, unit)),
    element("p", {class = "note"}, ...))
end

local function best_card(result, i)
  local plan, trial = result.plan, result.ranking[1]
  local objective = plan.objectives[i]
  if not trial then return card("Best", "none", "", "No trial is complete.") end
  local _, se, n = sweep_text.mean_and_se(plan, trial, i)
  local decimals = number.decimals{trial.values[i]}
  local deviation = se and ("se %s, n = %d"):format(parts.deviation(se, decimals), n)
  local words = i == 1 and {html.cut(("trial %d: %s"):format(trial.number,
    sweep_text.config(plan, trial.config)), 300), deviation and " · "}
  return card(i == 1 and "Best" or "The same trial", parts.number(trial.values[i], decimals),
    html.cut(objective.name, 60), words, deviation)
end

local function trials_card(result)
  local counts, items = {}, {}
  for _, trial in ipairs(result.list) do counts[trial.state] = (counts[trial.state] or 0) + 1 end
  for _, state in ipairs{"completed", "pruned", "failed", "running"} do
    if counts[state] then
      items[#items + 1] = {items[1] and ", ", element("span", {class = state},
        ("%d %s"):format(counts[state], state))}
    end
  end
  return card("Trials", number.text(#result.list), result.plan.seeds[2]
    and ("with %d seeds each"):format(#result.plan.seeds) or "", items)
end

local function time_card(result)
  local seconds, most = 0, 0
  for _, v in ipairs(result.trials.seconds) do seconds, most = seconds + v, math.max(most, v) end
  return card("Time of all runs", parts.duration(seconds), "",
    parts.count(result.counts.total, "run"),
    most > 0 and (", the longest trial %s"):format(parts.duration(most)))
end

local function front_card(result)
  return result.front and card("Pareto front", number.text(result.front),
    result.front == 1 and "trial" or "trials", "that no other beats in all objectives")
end

local function lead(result)
  local cards = {}
  for i = 1, math.min(#result.plan.objectives, 2) do cards[i] = best_card(result, i) end
  return element("div", {class = "cards"}, cards, front_card(result), trials_card(result),
    time_card(result))
end

-- ---- commands ----

-- The command that makes the best trial again, of an experiment in a file.
local function best_command(result)
  local source, best = result.plan.source, result.best
  if not (best and source.is_file) then return nil end
  local config = result.plan:config_of(best.config, 1)
  config.threads, config.checkpoint_every = nil, nil
  return run_words.command(source.script, run_words.of_config(config))
end

-- The command of this process, or nil at the prompt.
local function own_command()
  local given = arg
  if type(given) ~= "table" or not given[-1] then return nil end
  local words, is_tool = {}, given[-1] == "-m"
  for i, word in ipairs(given) do words[i] = tostring(word) end
  if not is_tool then return run_words.command(tostring(given[0]), words) end
  return run_words.command(nil, {"-m", tostring(given[0]), table.unpack(words)})
end

-- ---- sections ----

local function table_section(result)
  local columns, rows = sweep_table.best(result, TRIALS_MOST)
  for i = 1, result.front and math.min(result.front, #rows) or math.min(1, #rows) do
    rows[i].class = "best"
  end
  local command = best_command(result)
  return rows[1] and parts.section("trials", "The best trials", {
    parts.grid(columns, rows),
    parts.left_out(#rows, #result.ranking, "trial", ("`bnnlua -m runs list sweep=%s` has all")
      :format(strings.shell_word(result.name))),
    command and {parts.note "The first seed of the best trial again:", parts.commands{command}},
  })
end

local function importance_section(result)
  local list, rows = result:importance(), {}
  if not list then return nil end
  for i, item in ipairs(list) do
    local width = number.format("width:%.2fem", BAR_WIDTH * item.importance)
    rows[i] = {item.name, number.format("%.0f%%", 100 * item.importance),
               element("span", {class = "bar", style = width})}
  end
  return parts.section("importance", "What mattered", {
    parts.grid({"parameter", {title = "importance", is_number = true}, ""}, rows),
    parts.note("PED-ANOVA (Watanabe et al. 2023): how much the values among the best trials "
      .. "differ from those among all. With few trials it is mostly noise."),
  })
end

-- A figure as an element.
local function picture(figure, bytes)
  local kind = figure.path:find "%.png$" and "image/png" or "image/svg+xml"
  return element("figure", {class = figure.is_wide and "whole"},
    element("div", {class = "picture"}, html.picture(kind, bytes, figure.title)),
    element("figcaption", nil, figure.title, figure.about and ": ", figure.about))
end

local function figures_section(result, folder)
  local figures, fault = sweep_figures.draw(result, folder, "svg", FIGURE_BYTES)
  if not figures then return parts.section("sweep-figures", "Figures", {parts.note(fault)}) end
  local drawn, left_out, room = {}, {}, ALL_FIGURES_BYTES
  for _, figure in ipairs(figures) do
    local file <close> = io.open(figure.path, "rb")
    local bytes = file and file:read "a" or ""
    local fits = #bytes > 0 and #bytes <= room
    if fits then room = room - #bytes end
    table.insert(fits and drawn or left_out, fits and picture(figure, bytes) or figure.path)
  end
  return parts.section("sweep-figures", "Figures", {
    drawn[1] and element("div", {class = "figures"}, drawn),
    left_out[1] and parts.note("Too large for this page: ", table.concat(left_out, ", ")),
  })
end

local function failures_section(result)
  local list, rows = sweep_text.failures(result.plan, result.list), {}
  for i = 1, math.min(#list, FAILURES_MOST) do
    rows[i] = {list[i].run, html.cut(list[i].why, 300), list[i].count}
  end
  return rows[1] and parts.section("failed", "Failed runs", {
    parts.grid({"the first", "why", {title = "runs", is_number = true}}, rows),
    parts.left_out(#rows, #list, "reason"),
    parts.note "The same command of the sweep makes them again, and nothing else.",
  })
end

-- Why a trial was pruned, by the first of its runs that was.
local function pruned_reason(result, trial)
  for r in ipairs(result.plan.seeds) do
    local run = trial.runs[r]
    if run and run.state == "pruned" then return sweep_text.reason(run) end
  end
end

local function pruned_section(result)
  local rows, total = {}, 0
  for _, trial in ipairs(result.list) do
    if trial.state == "pruned" then
      total = total + 1
      local last = sweep_columns.last_report(result, trial) or {}
      if total <= PRUNED_MOST then
        rows[total] = {trial.number, sweep_text.config(result.plan, trial.config), last[1], last[2],
                       pruned_reason(result, trial)}
      end
    end
  end
  local grid = rows[1] and parts.grid({"trial", "configuration", "last step",
    result.plan.objectives[1].name .. " there", "why"}, rows)
  return grid and parts.section("pruned", "Pruned trials", {
    parts.details(parts.count(total, "trial"), total <= 12, grid,
      parts.left_out(#rows, total, "trial")),
  })
end

local function settings_section(result)
  local plan, rows = result.plan, {}
  for _, row in ipairs(plan.identity) do
    local says = row[2] ~= "" and row[1] ~= "first seed"
      and (row[1] ~= "delay" or plan.sampler.learns)
    if says then rows[#rows + 1] = {row[1], element("code", nil, html.cut(row[2], 1000))} end
  end
  rows[#rows + 1] = {"trials", number.text(plan.trials)}
  rows[#rows + 1] = {"seeds", html.cut(number.list(plan.seeds), 200)}
  return parts.section("settings", "What was asked", {parts.facts(rows)})
end

-- The runs of a function have no command of their own: the sweep's script makes them.
local function again_section(command)
  return parts.section("again", "To run it again", {
    command and parts.commands{command},
    parts.note "The trials are runs of a function of this script, which makes them.",
  })
end

--- Writes the report of a sweep.
-- @param result bnn.sweep.sweep_result
-- @param path string: the file
-- @param folder string: where the figures go
-- @return true; or nil, message
function M.write(result, path, folder)
  local plan, command = result.plan, own_command()
  local runs, why = records.list{where = {"sweep=" .. plan.name}, runs = plan.root}
  if not runs then return nil, why end
  local before, is_file = {}, plan.source.is_file
  for _, make in ipairs{table_section, importance_section, figures_section, failures_section,
                        pruned_section, settings_section} do
    before[#before + 1] = make(result, folder)
  end
  return report.write(path, runs, {
    root = plan.root, group = plan.names, metric = plan.objectives[1].name,
    mode = plan.objectives[1].mode, title = "Sweep " .. plan.name, lead = lead(result),
    before = before, command = command, without = {best = true, commands = not is_file},
    after = {not is_file and again_section(command) or nil},
  })
end

return M
