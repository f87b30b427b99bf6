--- The problems that methods are compared on: images with classes, and tables of numbers with the
-- published splits of the UCI sets (Hernandez-Lobato and Adams 2015). A problem gives the task of a
-- split: what methods learn from, and with which network.
local bnn = require "bnn"

local M = {}

-- ---- networks ----

-- ReLU layers, with dropout behind each if a rate is given.
local function layers(hidden, outputs, rate)
  local list = {bnn.nn.flatten()}
  for _, width in ipairs(hidden) do
    list[#list + 1] = bnn.nn.linear(width)
    list[#list + 1] = bnn.nn.relu()
    if rate then list[#list + 1] = bnn.nn.dropout(rate) end
  end
  list[#list + 1] = bnn.nn.linear(outputs)
  return bnn.nn.sequential(list)
end

-- ---- images ----

local function first(part, n) return n and part:slice(1, math.min(n, part.size)) or part end

local function shape_of(x) return table.concat(x:shape(), " x ", 2) end

-- A set that is taken if it is at hand and of the size of the data; or nil, why not.
local function find(name, data)
  local set = bnn.data.load(name, {offline = true})
  if not set then return nil, "not available" end
  local size, wanted = shape_of((set.test or set.train).x), shape_of(data.test.x)
  if size ~= wanted then return nil, ("its images are %s, not %s"):format(size, wanted) end
  return set
end

-- Sets that no network has seen: those that are asked for, or the usual ones that are at hand.
local function load_unseen(names, data, rows)
  local list = {}
  for _, name in ipairs(names or {"notmnist", "omniglot", "letters"}) do
    local set, fault
    if names then
      set = bnn.data.load_or_exit{dataset = name, like = data}
    else
      set, fault = find(name, data)
    end
    if set then
      list[#list + 1] = {name = set.name, x = first(set.test or set.train, rows).x}
    else
      io.stderr:write(("skipping %s: %s\n"):format(name, fault))
    end
  end
  return list
end

--- Images with classes: MNIST, or what the data set flags say.
-- @param cfg of the experiment
function M.images(cfg, log)
  local data = bnn.data.load_or_exit{dataset = cfg.dataset, dir = cfg.data_dir, log = log}
  local rows = cfg.quick and 1000 or nil
  local train, test = first(data.train, rows), first(data.test, rows)
  local hidden, unseen = cfg.hidden or {64, 64}, load_unseen(cfg.ood_data, data, rows)
  local likelihood, plain = bnn.likelihood.categorical{}, layers(hidden, 10)
  local function complete(posterior) return posterior end
  local function task(settings)
    return {
      train = train, test = test, unseen = unseen, likelihood = likelihood, net = plain,
      with_dropout = function(rate) return layers(hidden, 10, rate) end,
      temperature = 1, steps = settings.steps,
      batch_size = math.min(settings.batch_size, train.size),
      rate = function(lr) return lr end,
      for_weights = function(optimizer) return optimizer end,
      at_known_noise = function(params)
        return {net = plain, params = params, likelihood = likelihood, variance = 1,
                complete = complete}
      end,
    }
  end
  local names = {}
  for i, set in ipairs(unseen) do names[i] = set.name end
  return {kind = "images", name = data.name, splits = 1, hidden = hidden, unseen = names,
          rows = train.size, steps = 10000, batch_size = 128, task = task}
end

-- ---- numbers ----

-- Columns of numbers between blanks, as a tensor.
local function read(path)
  local table_of = bnn.assert_or_exit(bnn.data.csv(path, {header = false, delimiter = " "}))
  return table_of.x
end

-- The columns whose numbers are in a file.
local function columns(x, path)
  local parts, list = {}, bnn.assert_or_exit(bnn.data.index_file(path))
  for i, column in ipairs(list:totable()) do parts[i] = x:narrow(2, column, 1) end
  return bnn.ops.concat(parts, 2)
end

-- Names of UCI sets that have published splits.
local UCI = {}
for _, name in ipairs{
  "boston", "bostonHousing", "concrete", "energy", "kin8nm", "naval-propulsion-plant",
  "power-plant", "protein-tertiary-structure", "wine-quality-red", "yacht",
} do UCI[name] = true end

-- The folder of a UCI set: below data_dir or $BNNLUA_DATA, or the name itself.
local function folder_of(name, data_dir)
  local full = name == "boston" and "bostonHousing" or name
  local places = {}
  for _, base in ipairs{data_dir or false, os.getenv "BNNLUA_DATA" or false} do
    if base then
      places[#places + 1] = ("%s/uci/%s"):format(base, full)
      places[#places + 1] = ("%s/%s"):format(base, full)
    end
  end
  places[#places + 1] = full
  for _, place in ipairs(places) do
    local file = io.open(place .. "/index_features.txt")
    if file then
      file:close()
      return place
    end
  end
end

local function uci(folder)
  local x = read(folder .. "/data.txt")
  local whole = bnn.data.from_tensors{
    x = columns(x, folder .. "/index_features.txt"), y = columns(x, folder .. "/index_target.txt"),
  }
  local splits = bnn.assert_or_exit(bnn.data.index_splits(whole, folder))
  return function(i) return splits[i].train, splits[i].test end, #splits
end

-- y = x^3 and noise, for who has no data: another draw for each split.
local function cubic(i)
  local data = bnn.data.cubic{key = bnn.key(i):fold "cubic", n = 200}
  return data.train, data.test
end

-- A split with x and y standardised on its training part; the deviation of y, of its training part.
local function standardised(train, test)
  local part = bnn.data.from_tensors
  local x, x_stats = bnn.data.standardise(part{x = train.x})
  local y, y_stats = bnn.data.standardise(part{x = train.y})
  local test_x = bnn.data.standardise(part{x = test.x}, x_stats)
  local test_y = bnn.data.standardise(part{x = test.y}, y_stats)
  return part{x = x.x, y = y.x}, part{x = test_x.x, y = test_y.x}, y_stats.std:item()
end

local LOG_SIGMA = -1  -- at the start
local NOISE_LR = 5e-3 -- of Adam, for log sigma beside weights that have another optimizer

-- The network of a task, whose noise is one more parameter.
local function with_noise(mean)
  return bnn.transform(function(x)
    return mean(x), bnn.nn.parameter("log_sigma", {1}, function(_, shape)
      return bnn.full(shape, LOG_SIGMA)
    end)
  end)
end

-- The network without its noise, which is what was learned: its weights, and how its posteriors
-- become banks of whole networks.
local function at_known_noise(mean, whole)
  local sigma = math.exp(whole.log_sigma:item())
  local weights = mean:init(bnn.key(0), bnn.zeros(1, whole[whole:names()[1]]:size(1)))
  local function complete(posterior, key, draws)
    local n, list = math.min(posterior:support() or draws, draws), {}
    local samples = posterior:samples(key, n)
    for i = 1, n do
      list[i] = whole:map(function(w, name) return samples[i][name] or w:clone() end)
    end
    return bnn.posterior.empirical(list)
  end
  return {net = mean, params = weights:map(function(_, name) return whole[name]:clone() end),
          likelihood = bnn.likelihood.gaussian{sigma = sigma}, variance = sigma ^ 2,
          complete = complete}
end

--- Numbers: a UCI set with its published splits, or "cubic", which is generated.
-- @param cfg of the experiment
function M.numbers(cfg, log)
  local name, split, count = cfg.dataset, cubic, 20
  if name ~= "cubic" then
    split, count = uci(folder_of(name, cfg.data_dir))
  end
  local hidden = cfg.hidden or {50}
  local function task(settings, i)
    local train, test, unit = standardised(split(i))
    local mean = layers(hidden, 1)
    local function rate(lr) return bnn.schedule.cosine{from = lr, steps = settings.steps} end
    return {
      train = train, test = test, unit = unit, likelihood = bnn.likelihood.gaussian{},
      net = with_noise(mean), with_dropout = function(share)
        return with_noise(layers(hidden, 1, share))
      end,
      temperature = {log_sigma = 0, default = 1},
      random = function(path) return path ~= "log_sigma" end,
      steps = settings.steps, batch_size = math.min(settings.batch_size, train.size),
      rate = rate,
      for_weights = function(optimizer, clip_norm)
        return bnn.optim.groups({log_sigma = bnn.optim.adam{lr = rate(NOISE_LR)},
                                 default = optimizer}, {clip_norm = clip_norm})
      end,
      at_known_noise = function(params) return at_known_noise(mean, params) end,
    }
  end
  local splits = math.min(cfg.splits, count)
  local train, test = split(1)
  log:say(("data: %s, %d training and %d test rows in each of %d splits"):format(name,
    train.x:size(1), test.x:size(1), splits))
  return {kind = "numbers", name = name, splits = splits, hidden = hidden,
          rows = train.x:size(1), steps = 5000, batch_size = 64, task = task}
end

--- The problem that the flags ask for.
function M.load(cfg, log)
  local name = cfg.dataset
  if name == "cubic" or name and folder_of(name, cfg.data_dir) then return M.numbers(cfg, log) end
  local message = "--dataset: %s: expected the UCI set with its splits (data.txt, "
    .. "index_train_0.txt, ...) in $BNNLUA_DATA/uci or --data_dir, found none; cubic is generated"
  bnn.assert_or_exit(not (name and UCI[name]), message:format(name))
  return M.images(cfg, log)
end

return M
