--- What is measured of a method on a task: numbers by name.
local bnn = require "bnn"

local M = {}

-- What is read off a prediction as a sign of the unknown, where more is more so.
local SIGNS = {
  {"max_probability", function(p) return -p.probability end},
  {"entropy", function(p) return p.entropy end},
  {"mutual_information", function(p) return p.num_samples > 1 and p.mutual_information or nil end},
}

-- The bins of a reliability diagram as a text: examples, mean confidence and accuracy of each.
local function bins_text(p, y)
  local bins, words = bnn.metrics.reliability(p, y), {}
  for i = 1, bins.n:size(1) do
    local n = bins.n[i]
    words[i] = n > 0 and bnn.number.format("%d:%.6f:%.6f", n, bins.confidence[i], bins.accuracy[i])
      or "0:0:0"
  end
  return table.concat(words, " ")
end

-- Of classes: how good the answers and their probabilities are, and how well unknown images are
-- told from known ones (AUROC by set and sign).
local function of_classes(predict, task)
  local p, y = predict(task.test.x), task.test.y
  local s = bnn.metrics.summary(p, y)
  local scores = {accuracy = s.accuracy, nll = s.nll, brier = s.brier, ece = s.ece,
                  reliability = bins_text(p, y)}
  for _, set in ipairs(task.unseen) do
    local other = predict(set.x)
    for _, sign in ipairs(SIGNS) do
      local id, ood = sign[2](p), sign[2](other)
      if id then scores[set.name .. "/" .. sign[1]] = bnn.metrics.auroc{id = id, ood = ood} end
    end
  end
  return scores
end

-- Of numbers, in the units of the targets.
local function of_numbers(predict, task)
  local p, y, unit = predict(task.test.x), task.test.y, task.unit
  return {
    rmse = unit * bnn.metrics.rmse(p, y), mae = unit * bnn.metrics.mae(p, y),
    r2 = bnn.metrics.r2(p, y), crps = unit * bnn.metrics.crps(p, y),
    log_density = bnn.metrics.log_predictive_density(p, y, {scale = unit}),
  }
end

-- A number that is none says that a training has diverged: the run has failed.
local function check(result)
  for name, v in pairs(result) do
    if type(v) == "number" and (v ~= v or v == math.huge or v == -math.huge) then
      error(("the training has diverged: %s is %s"):format(name, bnn.number.text(v)), 0)
    end
  end
  return result
end

--- Measures a model.
-- @param model, sampling: what a method's fit returned
-- @param key of the draws
function M.measure(model, sampling, task, key)
  local opts = {key = key, progress = false}
  for name, v in pairs(sampling or {}) do opts[name] = v end
  opts.draws = task.unit and true or nil
  local function predict(x) return bnn.predict(model, x, opts) end
  return check((task.unit and of_numbers or of_classes)(predict, task))
end

--- Reads the bins that a run has on record: list of {n=, confidence=, accuracy=}.
function M.bins(text)
  local bins = {}
  for n, confidence, accuracy in text:gmatch "(%d+):([%d.]+):([%d.]+)" do
    bins[#bins + 1] = {n = bnn.number.parse(n), confidence = bnn.number.parse(confidence),
                       accuracy = bnn.number.parse(accuracy)}
  end
  return bins
end

return M
