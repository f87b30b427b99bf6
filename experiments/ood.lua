--- Which networks know what they do not know?
--
-- Three networks of one shape learn the same digits: a Bayesian one, a plain one, and one with
-- dropout that stays on for predictions. Then they see letters, clothes and noise. A network that
-- knows its limits is less sure of those than of any digit: a threshold on its uncertainty, fitted
-- on half of the test digits, abstains on them and answers the other half.
local bnn = require "bnn"

local experiment = {
  about = "trains Bayesian, plain and MC-dropout MLPs on digits, then scores letters, clothes and "
    .. "noise: AUROC, and abstention at a threshold fitted on half of the test digits",
  renamed = {outside = "ood_data"},
  common = {"seed", "dataset", "threads", "checkpoint", "stop"},
  defaults = {
    lr = {1e-3, "Adam's learning rate", type = "schedule", above = 0},
    batch_size = {128, "images per step", type = "integer", min = 1},
    steps = {10000, "optimizer steps of each network", type = "integer", min = 0},
    beta = {1e-3, "weight of the Bayesian network's KL", type = "schedule", min = 0},
    logvar = {-7, "initial log-variance of the Bayesian network's weights", type = "number",
              min = -80, max = 80},
    dropout = {0.5, "share of hidden units that the dropout network drops", min = 0, max = 0.99},
    hidden = {{64, 64}, "units of each hidden layer", type = "integer", min = 1, max = 100000},
    predict_samples = {100, "networks averaged for a prediction", type = "integer", min = 1},
    ood_data = {nil, "out-of-distribution data: names as for --dataset, folders, noise (default: "
                 .. "notmnist and fashion-mnist if available, letters-unlike-digits, noise)",
               type = "string", list = true},
    percentile = {0.99, "threshold: this percentile of a score on half of the test digits", min = 0,
                  max = 1},
    alpha = {0.01, "share of conformal sets that may miss the label", above = 0, max = 0.999},
    figures = {"figures", "folder for histograms and ROC curves; none if empty", type = "string",
               result = false},
    log_interval = {5000, "steps between two log entries", type = "integer", min = 1,
                    result = false},
  },
}

-- ---- the networks ----

local function mlp(cfg)
  local sizes = {table.unpack(cfg.hidden)}
  sizes[#sizes + 1] = 10
  return bnn.nn.mlp(sizes)
end

local function mlp_with_dropout(cfg)
  local layers = {bnn.nn.flatten()}
  for _, width in ipairs(cfg.hidden) do
    local more = {bnn.nn.linear(width), bnn.nn.relu(), bnn.nn.dropout(cfg.dropout)}
    table.move(more, 1, 3, #layers + 1, layers)
  end
  layers[#layers + 1] = bnn.nn.linear(10)
  return bnn.nn.sequential(layers)
end

local function variational(cfg, net, params, train)
  return bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(params, {logvar = cfg.logvar}),
    likelihood = "categorical", beta = cfg.beta, kl = "leading", data_size = train.size,
  }
end

local function maximum_likelihood(_, net, params)
  return bnn.objective{net = net, params = params, likelihood = "categorical"}
end

-- What asks how much sampled networks differ, and what a single network has to say.
local SPREAD = {"class_std", "mutual_information", "entropy", "expected_entropy"}
local SINGLE = {"entropy", "one_minus_probability", "energy"}

local networks = {
  {name = "bayesian", net = mlp, objective = variational, sampled = true, scores = SPREAD},
  {name = "plain", net = mlp, objective = maximum_likelihood, scores = SINGLE},
  {name = "dropout", net = mlp_with_dropout, objective = maximum_likelihood, sampled = true,
   train = true, scores = SPREAD}, -- train: its dropout stays on when it predicts
}

-- ---- the sets ----

-- Returns a set found in data_dir or elsewhere; or nil, why not. Only notMNIST may be downloaded:
-- https://neptune.ai/blog/bayesian-neural-networks-with-jax tests on its letters.
local function find(name, cfg, data)
  local set = cfg.data_dir and bnn.data.load(("%s/%s"):format(cfg.data_dir, name))
  local fault, cause
  if not set then set, fault, cause = bnn.data.load(name, {offline = name ~= "notmnist"}) end
  if cause then
    return nil, ("not found; bnnlua -m data get %s downloads it"):format(name)
  end
  if not set then return nil, fault end
  local size = table.concat((set.test or set.train).x:shape(), " x ", 2)
  local wanted = table.concat(data.test.x:shape(), " x ", 2)
  if size ~= wanted then return nil, ("its images are %s, not %s"):format(size, wanted) end
  return set
end

-- What the networks have not seen, as a list of {name=, x=}.
local function load_ood_sets(cfg, data, key)
  local list, usual = {}, {"notmnist", "fashion-mnist", "letters-unlike-digits", "noise"}
  local taken = {}
  for _, name in ipairs(cfg.ood_data or usual) do
    local set, fault
    bnn.assert_or_exit(not taken[name], ("--ood_data names %s twice"):format(name))
    taken[name] = true
    if name == "noise" then -- every pixel uniform
      set = {title = name, test = {x = bnn.rand(key, table.unpack(data.test.x:shape()))}}
    elseif cfg.ood_data then
      set = bnn.data.load_or_exit{dataset = name, like = data}
    else
      set, fault = find(name, cfg, data)
    end
    if set then
      list[#list + 1] = {name = set.title, x = (set.test or set.train).x}
    else
      io.stderr:write(("skipping %s: %s\n"):format(name, fault))
    end
  end
  return list
end

-- ---- the run ----

-- Trains a network, or goes on from its checkpoint; gives what predicts with it.
local function train(network, cfg, data, key, log)
  local net = network.net(cfg)
  local params = net:init(key:fold "init", data.train)
  local objective = network.objective(cfg, net, params, data.train)
  bnn.assert_or_exit(objective:check_data(data.test))
  local sampling = {
    num_samples = network.sampled and cfg.predict_samples or 1, key = key:fold "predict",
    train = network.train,
  }
  local function predict(x) return bnn.predict(objective, x, sampling) end
  local figure = ("test/%s/accuracy"):format(network.name)
  local checkpoint = bnn.checkpoint.from_flags(cfg, {monitor = figure})
  if checkpoint then checkpoint.path = checkpoint.path .. "/" .. network.name end
  bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, data = data.train,
    steps = cfg.steps, batch_size = cfg.batch_size, key = key:fold "train", log = log,
    log_every = cfg.log_interval, checkpoint = checkpoint,
    stop = bnn.early_stopping.from_flags(cfg, {monitor = figure}),
    evaluate = function()
      return {{figure, bnn.metrics.accuracy(predict(data.test.x), data.test.y)}}
    end,
  }
  return predict, objective
end

-- Keeps a temperature and a rule of abstention with a network's checkpoints, for classify.lua:
-- fitted on the same half of the test digits, of the network as it is opened, without dropout.
local function calibrate_checkpoints(network, cfg, test, report, key)
  if not cfg.checkpoint then return end
  local rows = report.fit_rows
  local ok, fault = bnn.calibration.keep(("%s/%s"):format(cfg.checkpoint, network.name), {
    validation = test:with{x = test.x:index(rows), y = test.y:index(rows)},
    key = key:fold "predict", percentile = cfg.percentile,
    num_samples = network.objective == variational and cfg.predict_samples or 1,
  })
  if not ok then io.stderr:write("WARNING: calibration not saved: ", fault, "\n") end
end

-- One figure of every report as a table: a row for each network and score, a column for each set.
local function say_side_by_side(log, title, reports, sets, figure_of)
  local rows, columns = {}, {"network", "score"}
  for _, set in ipairs(sets) do columns[#columns + 1] = {set, align = "right"} end
  for i, network in ipairs(networks) do
    for _, score in ipairs(network.scores) do
      local row = {network.name, score}
      for _, set in ipairs(sets) do row[#row + 1] = figure_of(reports[i], score, set) end
      rows[#rows + 1] = row
    end
  end
  log:say(("\n%s\n%s"):format(title, bnn.table_text.render(rows, columns)))
end

function experiment.run(cfg, log)
  local data = bnn.data.load_or_exit{dataset = cfg.dataset, dir = cfg.data_dir, log = log}
  local key = bnn.key(cfg.seed)
  local outside = load_ood_sets(cfg, data, key:fold "noise")
  local id = {x = data.test.x, y = data.test.y, title = data.title .. ", test"}

  local reports, metrics, models = {}, {}, {}
  for i, network in ipairs(networks) do
    local predict
    predict, models[network.name] = train(network, cfg, data, key, log)
    local report = bnn.ood.evaluate{
      predict = predict, id = id, ood = outside, scores = network.scores,
      key = key:fold "ood", percentile = cfg.percentile, alpha = cfg.alpha,
      figures = cfg.figures ~= "" and ("%s/%s"):format(cfg.figures, network.name) or nil,
      title = network.name:gsub("^%l", string.upper) .. " network",
    }
    log:say(("\n%s network, %s"):format(network.name, report))
    calibrate_checkpoints(network, cfg, data.test, report, key)
    reports[i] = report
    for _, row in ipairs(report:rows()) do metrics[network.name .. "/" .. row[1]] = row[2] end
  end

  local sets = reports[1].ood
  local function auroc(report, score, set)
    return bnn.number.format("%.4f", report.ranking[score][set].auroc)
  end
  if #sets > 0 then
    say_side_by_side(log, "AUROC, test digits against", reports, sets, auroc)
  end
  local function refused(report, score, set)
    return bnn.number.format("%.2f%%", 100 * report.abstained[score][set])
  end
  say_side_by_side(log, "Refused of", reports, {id.title, table.unpack(sets)}, refused)
  return metrics, {models = models, reports = reports, data = data}
end

return bnn.main(experiment)
