--- Statistics of log ratios of times, in lists: one for each start of the processes, say.
local M = {}

--- The numbers of all lists in one.
function M.all_of(lists)
  local all = {}
  for _, list in ipairs(lists) do table.move(list, 1, #list, #all + 1, all) end
  return all
end

--- The median of a list.
function M.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local n = #sorted
  return (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
end

local function draw(list) -- as many as it has, with replacement
  local drawn = {}
  for i = 1, #list do drawn[i] = list[math.random(#list)] end
  return drawn
end

-- The 2.5th and 97.5th percentile of the medians of 1000 samples: lists drawn, then their numbers.
local function interval(lists)
  local medians = {}
  for r = 1, 1000 do
    local drawn = draw(lists)
    for i = 1, #drawn do drawn[i] = draw(drawn[i]) end
    medians[r] = M.median(M.all_of(drawn))
  end
  table.sort(medians)
  return medians[25], medians[975]
end

--- A row of the table that `columns` heads: the median ratio, its 95% interval by the bootstrap and
-- how many there are.
-- @param lists lists of log ratios
function M.row(name, lists)
  local list, low, high = M.all_of(lists), interval(lists)
  return {name, ("%.4f"):format(math.exp(M.median(list))), ("%.4f"):format(math.exp(low)),
          ("%.4f"):format(math.exp(high)), ("%d"):format(#list)}
end

local function right(title) return {title, align = "right"} end

M.columns = {"", right "median", right "2.5%", right "97.5%", right "pairs"}

return M
