--- From a raw table to calibrated predictions: categories, missing values, units.
--
--     bnnlua experiments/tabular.lua --file=flats.csv --label=rent --checkpoint=night
--
-- The table's columns are found out and printed. What makes numbers of them (medians, means,
-- categories) is fitted to the training rows alone and kept in the checkpoint. A column of numbers
-- is predicted with its noise, a column of words as a class; all figures are in its own units.
-- Conformal prediction turns the network's deviations into intervals, or sets of classes, that hold
-- the promised share of new rows whether or not the network is right (Lei et al. 2018).
--
-- 2,000 flats, seeds 1 to 5: rmse 118 to 135 of rents that vary by 340; the network's central
-- intervals of 90% hold 91% to 95% of the test rows, the conformal ones 88% to 92%.
local bnn = require "bnn"

local experiment = {
  about = "predicts a column of a table with categories and missing values: metrics in its units, "
    .. "calibration and conformal intervals",
  common = {"seed", "threads", "checkpoint", "stop", "monitor"},
  defaults = {
    file = {nil, "the table, with a header (default: flats to let, which the program makes up)",
            type = "string"},
    label = {nil, "the column to predict (default: rent)", type = "string"},
    ignore = {{}, "columns to leave out, such as numbers of rows", type = "string"},
    weight = {nil, "the column that says how much each row counts, in training and metrics",
              type = "string"},
    classify = {false, "take the numbers of that column as classes"},
    log_target = {false, "learn the logarithm of a column of numbers, all above 0"},
    n = {2000, "rows of the table that is made up", type = "integer", min = 50},
    level = {0.9, "share of new rows that intervals and sets promise to hold", type = "number",
             above = 0},
    lr = {3e-3, "Adam's learning rate", type = "schedule", above = 0},
    batch_size = {100, "rows per step", type = "integer", min = 1},
    steps = {3000, "optimizer steps", type = "integer", min = 0},
    temperature = {1, "1 is the exact ELBO, below 1 a cold posterior", type = "number", min = 0},
    logvar = {-7, "initial log-variance of every weight", type = "number", min = -80, max = 80},
    prior_std = {0.5, "standard deviation of the prior", type = "number", above = 0},
    hidden = {{50}, "units of each hidden layer", type = "integer", min = 1, max = 100000},
    predict_samples = {100, "networks averaged for a prediction", type = "integer", min = 2},
    log_interval = {1000, "steps between two log entries", type = "integer", min = 1,
                    result = false},
    figures = {"figures", "folder for the plot; none if empty", type = "string",
               result = false},
  },
}

-- ---- the table ----

local DISTRICTS = {"harbour", "hill", "market", "north", "station"}
local RATES = {0, 2.5, 2.7, 0.4, -2.3}
local HEATING = {"gas", "oil", "heat pump"}

-- A flat to let: a quarter of the years and some of the rest are missing, and rents differ more
-- among large flats.
local function flat(u, z)
  local area, heating = u[1] * 5 // 1 + 1, HEATING[u[2] * 3 // 1 + 1]
  local size, year = (25 + 95 * u[3] ^ 1.5) // 1, 1900 + 120 * u[4] // 1
  local rate = 9 + RATES[area] + (year > 1990 and 3 or 0) - (heating == "oil" and 1 or 0)
  return {
    district = u[5] > 0.03 and DISTRICTS[area] or nil, size = size,
    year = u[6] > 0.25 and year or nil, heating = u[7] > 0.1 and heating or nil,
    balcony = u[8] < 0.4 and "yes" or "no", rent = (150 + rate * size) * math.exp(0.12 * z) // 1,
  }
end

local function made_up(key, n)
  local u, z = bnn.rand(key:fold "u", n, 8):totable(), bnn.randn(key:fold "z", n):totable()
  local columns = {n = n}
  for k, name in ipairs{"district", "size", "year", "heating", "balcony", "rent"} do
    columns[k] = {name = name, values = {}}
  end
  for i = 1, n do
    local row = flat(u[i], z[i])
    for _, column in ipairs(columns) do column.values[i] = row[column.name] end
  end
  return bnn.data.table(columns)
end

-- Rows of the table whose label is known.
local function labelled(rows, label, log)
  local values, known = rows:column(label).values:totable(), {}
  for i, v in ipairs(values) do
    if v == v and v ~= -1 then known[#known + 1] = i end -- NaN, or the code of no category
  end
  if #known == #values then return rows end
  log:say(("%d rows without %s are left out"):format(#values - #known, label))
  return rows:index(bnn.tensor(known, "i32"))
end

-- 60% of the rows to train on, 20% to calibrate with, the rest to test.
local function split(rows, key, level)
  local order, n = bnn.permutation(key, rows.size), rows.size
  local first, second = n * 6 // 10, n * 2 // 10
  local most = second / (second + 1) -- the largest share that so many can promise
  bnn.assert_or_exit(level <= most, bnn.number.format("--level: expected at most %.3g with %d rows "
    .. "to calibrate with, got %.10g", most, second, level))
  return rows:index(order:narrow(1, 1, first)), rows:index(order:narrow(1, first + 1, second)),
    rows:index(order:narrow(1, first + second + 1, n - first - second))
end

-- ---- the network ----

-- A mean and the log of the noise's deviation for numbers, which differs from row to row; a logit
-- for each class.
local function model_of(cfg, key, train)
  local sizes = {table.unpack(cfg.hidden)}
  sizes[#sizes + 1] = train.classes and #train.classes or 2
  local net = bnn.nn.mlp(sizes)
  if not train.classes then net = bnn.nn.sequential{net, bnn.nn.chunk(2)} end
  return bnn.elbo{
    net = net, likelihood = train.classes and "categorical" or "gaussian", prior = cfg.prior_std,
    posterior = bnn.posterior.meanfield(net:init(key, train), {logvar = cfg.logvar}),
    temperature = cfg.temperature, data_size = train.size,
  }
end

-- ---- what is said ----

-- What is known of a row: "district hill, size 54, year unknown".
local function row_text(rows, i, label)
  local words = {}
  for _, name in ipairs(rows.names) do
    local column = rows:column(name)
    local v = column.values[i]
    local text = column.categories and (column.categories[v + 1] or "unknown")
      or v ~= v and "unknown" or bnn.number.format("%.5g", v)
    if name ~= label then words[#words + 1] = name .. " " .. text end
  end
  return table.concat(words, ", ")
end

local NAMES = {"rmse", "mae", "r2", "coverage_90", "log_predictive_density", "crps", "accuracy",
               "nll", "brier", "ece"}

local function say_metrics(log, summary, unit)
  local rows = {}
  for _, name in ipairs(NAMES) do
    if summary[name] then rows[#rows + 1] = {name, summary[name]} end
  end
  log:say("test rows, in " .. unit)
  log:say(bnn.table_text.render(rows, {"metric", {"value", format = "%.4g"}}))
end

-- Intervals as many deviations wide as the calibration rows need: |y - mean| / total_std is below
-- the threshold for the promised share of them.
local function intervals(prep, of_calibration, y, prediction, level)
  local scores = (y - of_calibration.mean):abs() / of_calibration.total_std
  local deviations = bnn.conformal.threshold(scores:reshape(#scores), 1 - level)
  return prep:interval(prediction, {deviations = deviations}), deviations
end

local function draw(cfg, label, y, interval, mean)
  if cfg.figures == "" then return end
  local path, order = cfg.figures .. "/tabular.svg", {}
  local means, low, high, targets = mean:totable(), interval.lo:totable(), interval.hi:totable(),
    y:totable()
  for i = 1, #means do order[i] = i end
  table.sort(order, function(a, b)
    if means[a][1] ~= means[b][1] then return means[a][1] < means[b][1] end
    return a < b
  end)
  local function sorted(list)
    local result = {}
    for i, k in ipairs(order) do result[i] = list[k][1] end
    return result
  end
  local ok, fault = bnn.plot.lines{
    title = ("%s of the test rows, from low to high"):format(label), xlabel = "row", ylabel = label,
    path = path, height = 480, series = {
      {band = {sorted(low), sorted(high)}, colour = "sky",
       label = ("conformal, %g%%"):format(100 * cfg.level)},
      {y = sorted(means), colour = "blue", label = "mean"},
      {y = sorted(targets), style = "points", colour = "black", label = "true"},
    },
  }
  io.stderr:write(ok and "wrote " .. path or "cannot draw " .. fault, "\n")
end

local EXAMPLES = 5

local function report_numbers(cfg, log, prep, parts, predict, label)
  local p, y = predict(parts.test.x), prep:invert(parts.test.y)
  local summary = prep:summary(p, parts.test.y, {weight = parts.test.weight})
  say_metrics(log, summary, "the units of " .. label)
  local interval, deviations = intervals(prep, predict(parts.calibration.x), parts.calibration.y, p,
    cfg.level)
  local within = (y:ge(interval.lo) * y:le(interval.hi)):real():mean():item()
  local mean, width = prep:invert(p).mean, (interval.hi - interval.lo):mean():item()
  log:say(bnn.number.format("conformal intervals of %g%%: mean +- %.2f std, %.4g wide on average, "
    .. "hold %.1f%% of the test rows", 100 * cfg.level, deviations, width, 100 * within))
  for i = 1, math.min(EXAMPLES, parts.test.size) do
    log:say(bnn.number.format("%s\n  %s %.4g, between %.4g and %.4g; it is %.4g",
      row_text(parts.rows, i, label), label, mean[i][1], interval.lo[i][1], interval.hi[i][1],
      y[i][1]))
  end
  draw(cfg, label, y, interval, mean)
  return {rmse = summary.rmse, coverage90 = summary.coverage_90, conformal_coverage = within,
          log_predictive_density = summary.log_predictive_density}
end

local function report_classes(cfg, log, prep, parts, predict, label)
  local p, y = predict(parts.test.x), parts.test.y
  local summary = prep:summary(p, y, {weight = parts.test.weight})
  say_metrics(log, summary, "shares and nats")
  local fit = bnn.conformal.fit{probabilities = predict(parts.calibration.x),
                                labels = parts.calibration.y, alpha = 1 - cfg.level}
  local sets = bnn.conformal.sets(fit, p)
  local within = bnn.conformal.coverage(sets, y)
  log:say(bnn.number.format("conformal sets of %g%%: %.2f classes on average, hold %.1f%% of the "
    .. "test rows", 100 * cfg.level, sets.size:real():mean():item(), 100 * within))
  for i = 1, math.min(EXAMPLES, parts.test.size) do
    local names = {}
    for c, name in ipairs(prep.classes) do
      if sets.member[i][c] == 1 then names[#names + 1] = name end
    end
    log:say(bnn.number.format("%s\n  %s %s with %.1f%%, the set is {%s}; it is %s",
      row_text(parts.rows, i, label), label, prep.classes[p.class[i] + 1], 100 * p.probability[i],
      table.concat(names, ", "), prep.classes[y[i] + 1]))
  end
  if cfg.figures ~= "" then
    local path = cfg.figures .. "/tabular.svg"
    local ok, fault = bnn.plot.reliability{prediction = p, labels = y, title = label, path = path,
                                           weight = parts.test.weight}
    io.stderr:write(ok and "wrote " .. path or "cannot draw " .. fault, "\n")
  end
  return {accuracy = summary.accuracy, nll = summary.nll, ece = summary.ece,
          conformal_coverage = within}
end

-- ---- the run ----

local function check_name(flag, rows, name)
  local names, is_there = table.concat(rows.names, ", "), false
  for _, known in ipairs(rows.names) do is_there = is_there or known == name end
  local fault = "--%s: expected a column of the table (%s), got %s"
  bnn.assert_or_exit(is_there, fault:format(flag, names, name and "'" .. name .. "'" or "nothing"))
end

-- The table and the name of its label.
local function read(cfg, key, log)
  local label = cfg.label or not cfg.file and "rent" or nil
  local types = cfg.classify and label and {[label] = "category"} or nil
  local opts = {types = types, hint = "--ignore=%s"}
  local rows = cfg.file and bnn.assert_or_exit(bnn.data.table(cfg.file, opts))
    or made_up(key, cfg.n)
  check_name("label", rows, label)
  for _, name in ipairs(cfg.ignore) do
    check_name("ignore", rows, name)
    bnn.assert_or_exit(name ~= label, "--ignore: expected columns besides the --label, got "
      .. name)
  end
  if cfg.weight then
    check_name("weight", rows, cfg.weight)
    bnn.assert_or_exit(cfg.weight ~= label, "--weight: expected another column than the --label")
  end
  local kind = rows:column(label).kind
  bnn.assert_or_exit(kind == "number" or not cfg.log_target, "--log_target: expected a --label of "
    .. "numbers, " .. label .. " is of categories")
  bnn.assert_or_exit(kind == "category" or not cfg.classify, "--classify: expected a --file")
  log:say(("data: %s, %d rows, to predict %s"):format(cfg.file or "flats to let, made up by the "
    .. "program as no --file is given", rows.size, label))
  log:say(tostring(rows))
  rows = labelled(rows, label, log)
  bnn.assert_or_exit(rows.size >= 10, ("expected at least 10 rows with %s, got %d"):format(label,
    rows.size))
  return rows, label
end

-- What a method of a preprocess returns; ends the program, with one line, where rows do not suit.
local function suited(method, prep, rows)
  local ok, result = pcall(method, prep, rows)
  if not ok and type(result) ~= "string" then error(result, 0) end -- an interrupt
  return bnn.assert_or_exit(ok and result, not ok and (result:gsub("^.-:%d+: ", "")) or nil)
end

-- Numbers of which no row to train on has one teach nothing.
local function check_values(rows, ignored)
  for _, name in ipairs(rows.names) do
    local column = rows:column(name)
    local has_none = column.kind == "number" and column.values:isnan():real():min():item() == 1
    bnn.assert_or_exit(ignored[name] or not has_none, ("no row to train on has a value of %s "
      .. "(--ignore=%s leaves it out)"):format(name, name))
  end
end

-- What is fitted to the rows to train on. Categories that they lack, or a first missing one, must
-- not end a run on the rows to test.
local function fit(cfg, rows, label)
  local columns = {}
  for _, name in ipairs(cfg.ignore) do columns[name] = "ignore" end
  check_values(rows, columns)
  local prep = bnn.data.preprocess{
    label = label, weight = cfg.weight, columns = columns,
    categories = {"one_hot", unknown = "zeros"},
    target = cfg.log_target and {"log", "standardise"} or nil,
  }
  return suited(prep.fit, prep, rows)
end

function experiment.run(cfg, log)
  local key = bnn.key(cfg.seed)
  local rows, label = read(cfg, key:fold "data", log)
  local some, more, rest = split(rows, key:fold "split", cfg.level)
  local prep = fit(cfg, some, label)
  log:say(tostring(prep))
  local parts = {rows = rest}
  for name, of in pairs{train = some, calibration = more, test = rest} do
    parts[name] = suited(prep.apply, prep, of)
  end
  local objective = model_of(cfg, key:fold "init", parts.train)

  local function predict(x, samples)
    return bnn.predict(objective, x, {num_samples = samples or cfg.predict_samples, draws = true,
                                      key = key:fold "predict"})
  end
  local function evaluate(step)
    local figures = objective:evaluate(parts.test, {key = key:fold "eval", step = step})
    local summary = prep:summary(predict(parts.test.x, 20), parts.test.y,
      {weight = parts.test.weight})
    return {
      {"test/elbo", figures.elbo}, {"test/log_likelihood", figures.log_likelihood},
      {prep.classes and "test/accuracy" or "test/rmse", summary.accuracy or summary.rmse},
    }
  end
  local state = bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, data = parts.train,
    steps = cfg.steps, batch_size = math.min(cfg.batch_size, parts.train.size),
    key = key:fold "train", log = log, log_every = cfg.log_interval, evaluate = evaluate,
    checkpoint = bnn.checkpoint.from_flags(cfg, {monitor = "test/log_likelihood"}),
    stop = bnn.early_stopping.from_flags(cfg, {monitor = "test/log_likelihood"}),
  }
  local report = prep.classes and report_classes or report_numbers
  return report(cfg, log, prep, parts, predict, label),
    {model = objective, data = parts, state = state, preprocess = prep}
end

return bnn.main(experiment)
