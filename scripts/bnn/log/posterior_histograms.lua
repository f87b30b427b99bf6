--- What log:posterior shows of a posterior, as a list of histograms.
local M = {}

local MANY = 24 -- tensors: of more, one histogram over all of them

-- 10 log10(|mu| / sigma), the signal-to-noise ratio by which Blundell et al. 2015 prune weights.
local function snr_db(mu, sigma)
  return (mu:abs() / sigma):log() * (10 / math.log(10))
end

-- Adds the histograms of some weights; sigma is nil where it is not known.
local function add(list, at, mu, sigma)
  list[#list + 1] = {"mu" .. at, mu}
  if not sigma then return end
  list[#list + 1] = {"sigma" .. at, sigma}
  list[#list + 1] = {"snr_db" .. at, snr_db(mu, sigma)}
end

-- The weights of `names`, which lie one after the other, as one flat tensor.
local function joined(params, names, from)
  local n = 0
  for _, name in ipairs(names) do n = n + params[name]:numel() end
  return params.flat:narrow(1, from, n), n
end

local function add_together(list, q, mean, std)
  local covered, points = q:covered(), q:points()
  local mu, n = joined(mean, covered, 1)
  add(list, "", mu, std and joined(std, covered, 1))
  if #points > 0 then list[#list + 1] = {"weights", (joined(mean, points, n + 1))} end
end

local function add_each(list, q, mean, std)
  for _, name in ipairs(q:covered()) do
    add(list, "/" .. name, mean[name], std and std[name])
  end
  for _, name in ipairs(q:points()) do list[#list + 1] = {"weights/" .. name, mean[name]} end
end

-- The histograms of a posterior that is one point: its weights.
local function of_point(mean)
  local list, names = {}, mean:names()
  if #names > MANY then return {{"weights", mean.flat}} end
  for i, name in ipairs(names) do list[i] = {"weights/" .. name, mean[name]} end
  return list
end

--- Lists the histograms of a posterior.
-- @return list of {name, tensor}
function M.of(q)
  local mean = q:mean()
  if #q:points() == #q:names() then return of_point(mean) end
  local list, std = {}, q:std()
  local add_all = #q:names() > MANY and add_together or add_each
  add_all(list, q, mean, std)
  return list
end

return M
