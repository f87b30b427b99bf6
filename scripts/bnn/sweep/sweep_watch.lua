--- The trials of a sweep as they change, for those who look often: with 1,000 trials of 100
-- reports, reading all takes 200 ms. What has ended stays as it is, so the first trials up to one
-- that has not are read once.
local M = {}

local Watch = {}
Watch.__index = Watch

--- Makes a watch of a book.
-- @param seeds list: of each trial
-- @param replicate integer: with what the runs of this seed reported; nil: without
function M.new(book, seeds, replicate)
  return setmetatable({book = book, seeds = seeds, replicate = replicate, ended = {}}, Watch)
end

local IS_END = {completed = true, failed = true, pruned = true}

-- Whether all runs of a trial have ended.
local function has_ended(trial, seeds)
  for r in ipairs(seeds) do
    local run = trial.runs[r]
    if not run or not IS_END[run.state] then return false end
  end
  return true
end

--- The trials now, as bnn.sweep.sweep_book lists them. The list is the caller's, its trials are
-- not.
function Watch:trials()
  local ended = self.ended
  local later = self.book:trials(self.seeds, {from = #ended + 1, replicate = self.replicate})
  for _, trial in ipairs(later) do
    if trial.number ~= #ended + 1 or not has_ended(trial, self.seeds) then break end
    ended[#ended + 1] = trial
  end
  local list = table.move(ended, 1, #ended, 1, {})
  for _, trial in ipairs(later) do
    if trial.number > #ended then list[#list + 1] = trial end
  end
  return list
end

return M
