--- Which metric tells the better of two runs where nobody says, and the order of metrics in tables.
local runs_table = require "bnn.records.runs_table"
local strings = require "bnn.base.strings"

local M = {}

-- The last words of names, the most telling first, and which values of them are better.
local WORDS = {
  {"accuracy", "max"}, {"elbo", "max"}, {"auroc", "max"}, {"log_likelihood", "max"}, {"nll", "min"},
  {"rmse", "min"}, {"loss", "min"}, {"error", "min"}, {"mse", "min"}, {"mae", "min"},
  {"brier", "min"}, {"ece", "min"},
}

-- The place in WORDS of a name's last part, "test/accuracy" or "final_loss", and its mode.
local function word_of(name)
  local last = strings.lower(name:match "[^/]+$" or name)
  for i, row in ipairs(WORDS) do
    if last == row[1] or last:sub(-#row[1] - 1) == "_" .. row[1] then return i, row[2] end
  end
end

-- What a name is sorted by: how deep it is, and whether it is of data that were not trained on.
local function depth_of(name) return select(2, name:gsub("/", "/")) end

local function set_of(name)
  local first = strings.lower(name:match "^[^/]+" or "")
  if first:find "^train" then return 3 end
  return first:find "^val" and 2 or 1
end

--- The metrics of runs, in the order in which they are shown: results first, those of many parts
-- last.
-- @return list of names
function M.sorted(runs)
  local names, place, key = runs_table.metrics(runs), {}, {}
  for i, name in ipairs(names) do
    place[name], key[name] = i, math.max(depth_of(name), 1) * 10 + set_of(name)
  end
  table.sort(names, function(a, b)
    if key[a] ~= key[b] then return key[a] < key[b] end
    return place[a] < place[b]
  end)
  return names
end

--- The metric that orders configurations: what is asked for, or else the most telling.
-- @param names list, as M.sorted gives it
-- @param opts table: metric=, mode= "max", "min" or nil
-- @return name, mode; nil if there is none
function M.choose(names, opts)
  local best, best_word, best_mode
  for _, name in ipairs(names) do
    local word, mode = word_of(name)
    if name == opts.metric then return name, opts.mode or mode or "max" end
    if word and set_of(name) < 3 and (not best or word < best_word) then
      best, best_word, best_mode = name, word, mode
    end
  end
  return best, opts.mode or best_mode
end

return M
