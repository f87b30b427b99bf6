--- Reads the reports of trials for pruners. Values are multiplied by a sign, 1 for "min" and -1 for
-- "max", so that less is always better.
--
-- Reports are a list of {step, value}. Their order does not matter, and of a step that occurs
-- twice, as after a trial was resumed, the last one counts.
local M = {}

--- Whether a number is nan.
function M.is_nan(v) return v ~= v end

--- The reports of a trial up to a step (nil: all), sorted by step, one for each.
-- @return list of {step, value}
function M.read(trial, sign, upto)
  local by_step, steps, reports = {}, {}, {}
  for _, report in ipairs(trial.reports or {}) do
    local step = report[1]
    if step <= (upto or math.huge) then
      if not by_step[step] then steps[#steps + 1] = step end
      by_step[step] = report[2]
    end
  end
  table.sort(steps)
  for i, step in ipairs(steps) do reports[i] = {step, sign * by_step[step]} end
  return reports
end

--- The value that a trial reported at a step, or nil.
function M.at(trial, sign, step)
  local reports = trial.reports or {}
  for i = #reports, 1, -1 do
    if reports[i][1] == step then return sign * reports[i][2] end
  end
end

--- The first value of a trial, nan left out, at a step or after it, and its step; nil if there is
-- none.
function M.from(trial, sign, step)
  local at, value
  for _, report in ipairs(trial.reports or {}) do
    local is_sooner = report[1] >= step and (not at or report[1] <= at)
    if is_sooner and not M.is_nan(report[2]) then at, value = report[1], sign * report[2] end
  end
  return value, at
end

--- The best of reports first..last, nan left out; nan if there is no other.
function M.best(reports, first, last)
  local best = 0 / 0
  for i = first or 1, last or #reports do
    local value = reports[i][2]
    if M.is_nan(best) or value < best then best = value end
  end
  return best
end

--- The last step that a trial reported, or nil.
function M.last_step(trial)
  local last
  for _, report in ipairs(trial.reports or {}) do last = math.max(last or report[1], report[1]) end
  return last
end

--- The other trials of a history, those in one state or (nil) in any.
function M.others(history, trial, state)
  local others = {}
  for _, other in ipairs(history) do
    local is_other = other.number ~= trial.number
    if is_other and (not state or other.state == state) then others[#others + 1] = other end
  end
  return others
end

--- Sorts trials by their numbers, in place.
function M.sort(trials)
  table.sort(trials, function(a, b) return a.number < b.number end)
  return trials
end

--- The last step of the first other trial that completed and reported anything: how long a trial
-- is, said by a trial that later ones do not replace. Nil if there is none.
function M.full_length(history, trial)
  local first
  for _, other in ipairs(history) do
    local is_full = other.state == "completed" and other.reports and #other.reports > 0
    local is_sooner = is_full and other.number ~= trial.number
      and (not first or other.number < first.number)
    if is_sooner then first = other end
  end
  return first and M.last_step(first)
end

return M
