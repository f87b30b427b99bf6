--- The head of a report: what was run, how many runs, what is best, and the commands that give it
-- again.
local core = require "bnn.core"
local html = require "bnn.html.html"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local parts = require "bnn.report.report_parts"
local report_view = require "bnn.report.report_view"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"

local M = {}

local STATUSES = {"completed", "running", "pruned", "failed", "interrupted", "dead"}
local COMMANDS_MOST, SEEDS_MOST, FLAGS_MOST = 3, 12, 60

local element = html.element

-- ---- the lead ----

local function status_counts(runs)
  local counts, items = {}, {}
  for _, run in ipairs(runs) do counts[run.status] = (counts[run.status] or 0) + 1 end
  for _, status in ipairs(STATUSES) do
    if counts[status] then
      items[#items + 1] = {#items > 0 and ", " or "",
                           element("span", {class = status}, ("%d %s"):format(counts[status],
                             status))}
    end
  end
  return items
end

-- The first and the last minute of runs: when they started.
local function span_text(runs)
  local first, last
  for _, run in ipairs(runs) do
    local at = tostring(run.started or ""):sub(1, 16)
    if at ~= "" and (not first or strings.before(at, first)) then first = at end
    if at ~= "" and (not last or strings.before(last, at)) then last = at end
  end
  if not first then return "" end
  return first == last and (" Started %s UTC."):format(first)
    or (" Started from %s to %s UTC."):format(first, last)
end

local function time_text(runs)
  local wall = 0
  for _, run in ipairs(runs) do wall = wall + (run.wall_seconds or 0) end
  return wall > 0 and (" %s of run time in all."):format(parts.duration(wall)) or ""
end

--- The title of a page that has none: the names of its experiments.
function M.title(view)
  local names = {}
  for i, experiment in ipairs(view.experiments) do
    if i <= 3 then names[i] = experiment.name end
  end
  local more = #view.experiments + view.left_out - #names
  return "Runs of " .. table.concat(names, ", ")
    .. (more > 0 and (" and %d more"):format(more) or "")
end

--- What stands below the title: how many runs there are, their states and times.
function M.lead(view)
  local runs = view.runs
  local total = #view.experiments + view.left_out
  return {
    element("p", nil, parts.count(#runs, "run"), total > 1 and (" of %d experiments"):format(total),
      ": ", status_counts(runs), ".", span_text(runs), time_text(runs)),
    view.left_out > 0 and parts.note(("The %d experiments that ran last are shown; a filter such "
      .. "as experiment=NAME chooses others."):format(#view.experiments)),
  }
end

-- ---- the best ----

local function seeds_text(runs)
  local seeds, seen = {}, {}
  for _, run in ipairs(runs) do
    local seed = tostring(run.seed or "")
    if seed ~= "" and not seen[seed] then seeds[#seeds + 1], seen[seed] = seed, true end
  end
  if not seeds[1] then return nil end
  return (#seeds > 1 and "seeds " or "seed ") .. table.concat(seeds, ", ", 1,
    math.min(#seeds, SEEDS_MOST)) .. (#seeds > SEEDS_MOST and ", …" or "")
end

local function no_rank_text(experiment)
  if experiment.metric then return "No run with " .. experiment.metric .. " has completed." end
  return "None of its metrics is known to be better when it is high or low: --metric=NAME and "
    .. "--mode=max or min say it."
end

local function card(experiment)
  local group = experiment.groups[1]
  local label = report_view.group_label(experiment, group)
  local rank = group.rank
  local decimals = rank and parts.decimals{rank.mean}
  return element("div", {class = "card"},
    element("h3", {style = "margin-top:0"}, experiment.name),
    rank and element("div", {class = "value"}, parts.mean_text(rank, decimals), " ",
      element("span", nil, html.cut(experiment.metric, 60))),
    element("p", {class = "note"}, rank and html.cut(label ~= "" and label
      or "its only configuration", 200) or no_rank_text(experiment),
      rank and (" · %s"):format(rank.n > 1 and ("mean ± sd of n = %d"):format(rank.n)
        or "a single run")),
    experiment.about and element("p", {class = "note"}, html.cut(experiment.about, 240)))
end

-- The commands of runs, each once, and how many there are.
local function different_commands(runs)
  local lines, seen, count = {}, {}, 0
  for _, run in ipairs(runs) do
    local command = run.command or ""
    if command ~= "" and not seen[command] then
      seen[command], count = true, count + 1
      if count <= COMMANDS_MOST then lines[count] = command end
    end
  end
  return lines, count
end

-- All flags of a run, those that have no effect on the page's tables too.
local function flags_of(run)
  local names, rows = options.sorted_names(run.config), {}
  for i = 1, math.min(#names, FLAGS_MOST) do
    rows[i] = {html.cut(names[i], 80), html.cut(number.text(run.config[names[i]]), 200)}
  end
  if not names[1] then return nil end
  return parts.details("All flags", false, parts.facts(rows),
    parts.left_out(#rows, #names, "flag"))
end

-- Where a run was started.
local function place_of(about)
  local repository, folder = about.repository or {}, about.machine and about.machine.folder
  if not folder then return nil end
  local commit = repository.commit and {", commit ", element("code", nil,
    tostring(repository.commit):sub(1, 12)), repository.dirty
    and " with changes that the record holds"}
  return {"In ", element("code", nil, html.cut(folder, 200)), commit, ". "}
end

local function commands_of(view, experiment)
  local group = experiment.groups[1]
  local runs = group.completed[1] and group.completed or group.runs
  local lines, count = different_commands(runs)
  local seeds = seeds_text(runs)
  return {
    element("h3", nil, experiment.name, seeds and element("span", {class = "note"}, " · ", seeds)),
    parts.commands(lines),
    parts.note(count > #lines and ("%s like these. "):format(parts.count(count - #lines,
      "more command")), place_of((view:details(runs[1]))), "From the record: ",
      element("code", nil, ("bnnlua -m runs rerun %s --runs=%s"):format(runs[1].id,
        strings.shell_word(view.root)))),
    flags_of(runs[1]),
  }
end

--- The best configuration of each experiment.
function M.best(view)
  local cards = {}
  for i, experiment in ipairs(view.experiments) do cards[i] = card(experiment) end
  return parts.section("best", "Best", {element("div", {class = "cards"}, cards)})
end

--- The commands that give the best runs again, and this page.
-- @param command string or nil: what made the page
function M.commands(view, command)
  local body = {}
  for i, experiment in ipairs(view.experiments) do body[i] = commands_of(view, experiment) end
  body[#body + 1] = {element("h3", nil, "This page"), command and parts.commands{command},
    parts.note("Written ", run_folder.time_text(core.now()):sub(1, 16), " UTC by bnnlua.")}
  return parts.section("commands", "To run it again", body)
end

return M
