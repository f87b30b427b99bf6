--- What the sections of a report look at: runs by experiment, their configurations in order, the
-- metric that orders them, and the few runs whose details are shown. Folders are read for those
-- only, each once.
local core = require "bnn.core"
local number = require "bnn.base.number"
local run_folder = require "bnn.records.run_folder"
local run_list = require "bnn.records.run_list"
local rank_metric = require "bnn.report.rank_metric"
local runs_table = require "bnn.records.runs_table"
local strings = require "bnn.base.strings"

local M = {}

local View = {__name = "bnn.report_view"}
View.__index = View

--- How much is shown: experiments, configurations of each, runs of each of those, runs in all.
M.EXPERIMENTS_MOST, M.GROUPS_MOST, M.RUNS_OF_GROUP, M.RUNS_MOST = 12, 30, 10, 60

local ROUNDING = 1e-13
local LOG_BYTES = 64 << 20 -- of the logs that one report reads

-- ---- what a run's folder holds ----

--- What run.json of a run holds, an empty table if it cannot be read; its notes. Read once.
function View:details(run)
  local known = self.read[run.id]
  if not known then
    local about = run_folder.read_json(run.path .. "/run.json")
    known = {about = type(about) == "table" and about or {},
             notes = select(2, run_list.read_notes(run.path))}
    self.read[run.id] = known
  end
  return known.about, known.notes
end

local function size_of(path)
  local file <close> = io.open(path, "rb")
  return file and file:seek "end" or 0
end

-- Adds a value to the curve of a name: the last one of a step counts.
local function add_value(curves, name, step, v)
  local curve = curves[name]
  if not curve then
    curve = {x = {}, y = {}, place = {}}
    curves[name] = curve
  end
  local at = curve.place[step] or #curve.x + 1
  curve.place[step], curve.x[at], curve.y[at] = at, step, v
end

-- The curves of all metrics of a log, name -> {x=, y=}; a line that is cut short is none.
local function curves_of(text)
  local curves = {}
  for line in text:gmatch "[^\n]+" do
    local fields = core.json_decode(line)
    local step = type(fields) == "table" and math.tointeger(fields.step)
    for name, v in pairs(step and fields or {}) do
      if type(v) == "number" and name ~= "step" then add_value(curves, name, step, v) end
    end
  end
  return curves
end

--- The curves that a run logged, by metric {x=, y=} lists of numbers. Read once; none of a log that
-- is too long to be read for a report, which self.unread counts.
function View:curves(run)
  local known = self.curves_of[run.id]
  if known then return known end
  local path = run.path .. "/metrics.jsonl"
  local size = size_of(path)
  local fits = self.bytes + size <= LOG_BYTES
  if not fits then self.unread = self.unread + 1 end
  self.bytes = self.bytes + (fits and size or 0)
  known = curves_of(fits and run_folder.read(path) or "")
  self.curves_of[run.id] = known
  return known
end

-- ---- experiments ----

-- Runs by the name of their experiment, that with the most recent run first.
local function by_experiment(runs)
  local list, at = {}, {}
  for i = #runs, 1, -1 do
    local name = runs[i].experiment or "no experiment"
    if not at[name] then
      at[name] = {name = name, runs = {}}
      list[#list + 1] = at[name]
    end
    table.insert(at[name].runs, runs[i])
  end
  return list
end

-- The flags that make a configuration: those that differ, the seed and what does not change the
-- result aside.
local function keys_of(self, experiment)
  local about = self:details(experiment.runs[1])
  local decides = about.result_flags and {} or nil
  for _, name in ipairs(about.result_flags or {}) do decides[name] = true end
  local keys = {}
  for _, name in ipairs(runs_table.differing(experiment.runs)) do
    if name ~= "seed" and (not decides or decides[name]) then keys[#keys + 1] = name end
  end
  return keys
end

-- The last values of a metric over the completed runs of a group.
local function values_of(group, metric)
  local values = {}
  for _, run in ipairs(group.completed) do
    local m = run.metrics[metric]
    if m and type(m.value) == "number" and m.value == m.value then
      values[#values + 1] = m.value
    end
  end
  return values
end

--- Mean, standard deviation, standard error and n of a metric's last values over the completed runs
-- of a group; nil if it has none.
function M.moments(group, metric)
  local values = values_of(group, metric)
  if not values[1] then return nil end
  local mean, sd, se = runs_table.moments(values)
  if sd and sd < math.abs(mean) * ROUNDING then sd, se = 0, 0 end -- the values are equal
  return {mean = mean, sd = sd, se = se, n = #values}
end

local function by_seed(a, b)
  local x, y = math.tointeger(a.seed), math.tointeger(b.seed)
  if x ~= y then return (x or math.huge) < (y or math.huge) end
  return strings.before(a.id, b.id)
end

-- What is the same of two runs only if one repeats the other to the bit: seed and last values.
local function outcome_of(run, metrics)
  local values = {number.text(run.seed)}
  for i, name in ipairs(metrics) do
    values[i + 1] = number.text(run.metrics[name] and run.metrics[name].value)
  end
  return table.concat(values, "\0")
end

-- The completed runs of a group, of repeats the newest: n counts what is independent.
local function add_completed(group, metrics)
  local seen = {}
  group.completed, group.repeats = {}, 0
  for _, run in ipairs(group.runs) do
    if run.status == "completed" then
      local outcome = run.seed and metrics[1] and outcome_of(run, metrics) or run.id
      if seen[outcome] then
        group.repeats = group.repeats + 1
      else
        seen[outcome] = true
        table.insert(group.completed, run)
      end
    end
  end
end

local function complete_group(group, metric, metrics)
  add_completed(group, metrics)
  group.rank = metric and M.moments(group, metric)
  table.sort(group.runs, by_seed)
  table.sort(group.completed, by_seed)
end

-- Best first; those without a value last, as they came.
local function sort_groups(groups, mode)
  local place = {}
  for i, group in ipairs(groups) do place[group] = i end
  table.sort(groups, function(a, b)
    local x, y = a.rank and a.rank.mean, b.rank and b.rank.mean
    if x == y then return place[a] < place[b] end
    if not x or not y then return x ~= nil end
    if mode == "min" then return x < y end
    return x > y
  end)
end

-- The runs that are shown: of the best configurations, as many as there is room for.
local function shown_runs(groups, room)
  local shown = {}
  for g = 1, math.min(#groups, M.GROUPS_MOST) do
    for i = 1, math.min(#groups[g].runs, M.RUNS_OF_GROUP) do
      if #shown < room then shown[#shown + 1] = groups[g].runs[i] end
    end
  end
  return shown
end

local function complete(self, experiment, opts, room)
  experiment.about = self:details(experiment.runs[1]).about
  experiment.metrics = rank_metric.sorted(experiment.runs)
  experiment.metric, experiment.mode = rank_metric.choose(experiment.metrics, opts)
  local by = opts.group[1] == "config" and keys_of(self, experiment) or opts.group
  experiment.groups, experiment.keys = runs_table.groups(experiment.runs, by)
  for _, group in ipairs(experiment.groups) do
    complete_group(group, experiment.metric, experiment.metrics)
  end
  sort_groups(experiment.groups, experiment.mode)
  experiment.shown = shown_runs(experiment.groups, room)
end

--- A configuration in words: "beta=0.001, lr=0.01"; "" if nothing differs.
function M.group_label(experiment, group)
  local parts = {}
  for i, name in ipairs(experiment.keys) do
    local v = group.keys[i]
    if v ~= nil and v ~= "" then
      parts[#parts + 1] = ("%s=%s"):format(name, number.text(v))
    end
  end
  return table.concat(parts, ", ")
end

--- Makes the view of runs.
-- @param runs list, oldest first, at least one
-- @param opts table: root= their folder, group= list of names or {"config"}, metric=, mode= what is
--   best or nil
-- @return view: runs, root, experiments= a list of {name=, about=, runs= newest first, keys= names,
--   groups= a list, best first, of {keys= values, runs=, completed= those that count, repeats= how
--   many repeat one of these, rank= moments}, metrics= names,
--   metric=, mode=, shown= runs}, left_out= how many experiments are not in it
function M.new(runs, opts)
  local self = setmetatable({runs = runs, root = opts.root, read = {}, curves_of = {}, bytes = 0,
                             unread = 0}, View)
  local all = by_experiment(runs)
  self.experiments = table.move(all, 1, math.min(#all, M.EXPERIMENTS_MOST), 1, {})
  self.left_out = #all - #self.experiments
  local room = M.RUNS_MOST // #self.experiments
  for _, experiment in ipairs(self.experiments) do complete(self, experiment, opts, room) end
  return self
end

--- All runs that are shown, in the order of their experiments.
function View:shown()
  local list = {}
  for _, experiment in ipairs(self.experiments) do
    table.move(experiment.shown, 1, #experiment.shown, #list + 1, list)
  end
  return list
end

return M
