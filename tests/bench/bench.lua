--- What `make bench` prints: training steps as bnn.train runs them beside their bare matrix
-- products (whole OpenBLAS calls on one thread), in one process, taking turns; where a step goes;
-- and what else a run waits for. Medians of the rounds; the ratio is what to compare, as machines
-- differ, and beside it that of the fastest rounds, as they are shared. The binary is bnnlua with
-- tests/bench/stopwatch.c linked in.
local bnn = require "bnn"
local core = require "bnn.core"
local flags = require "bnn.run.flags"
local usage = require "bnn.run.usage"
local watch = assert(package.loadlib("", "luaopen_stopwatch"), "run me by `make bench`")()
local networks = dofile "tests/bench/networks.lua"

local about = "how fast bnnlua is here, beside its bare matrix products"
local defaults = {
  json = {false, "JSON instead of tables: {machine, figures, parts}"},
  only = {{}, "some of all", type = "string",
          choices = {"steps", "models", "predict", "normals", "load", "start"}},
  hidden = {{64, 400, 1200}, "networks 784-H-H-10 of `steps`", type = "integer", min = 1},
  threads = {{1, 2}, "numbers of threads", type = "integer", min = 1, max = 256},
  rounds = {15, "rounds, of which the median counts", type = "integer", min = 1},
  whole = {false, "also a whole run of experiments/mnist.lua, its time and peak memory"},
  bnnlua = {"build/bnnlua", "the program that is started and runs as a whole", type = "string"},
}

local BATCH = 128
local figures, parts = {}, {} -- rows of the two tables

local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

local function seconds(f, ...)
  local start = watch.now()
  f(...)
  return watch.now() - start
end

-- What issue 5 wants, by figure and number of threads: a ratio, or a value.
local wanted = {
  ["step 784-64-64-10"] = {1.5, 0.9}, ["step 784-400-400-10"] = {1.45, 0.82},
  ["step 784-1200-1200-10"] = {1.65, 0.92}, ["predict 100 x 10,000"] = {0.8, 0.42},
  ["step VAE"] = {1.6, 1.6}, ["step LeNet"] = {1.6, 1.6},
}

-- own and products: lists of seconds, which take turns.
local function add_ratio(name, threads, own, products)
  local row = {name = name, threads = threads, seconds = median(own), products = median(products)}
  row.ratio, row.fastest = row.seconds / row.products, own[1] / products[1] -- median has sorted
  row.wanted = (wanted[name] or {})[threads]
  figures[#figures + 1] = row
end

-- ---- bare products ----

-- Collects products over named matrices, which are made as large as they come to be used.
local function product_list()
  local list = {}
  local function add(c, a, b, shape)
    local p = {c = c, a = a, b = b, times = shape.times or 1, ta = shape.ta, tb = shape.tb}
    p.m, p.n, p.k = shape[1], shape[2], shape[3]
    list[#list + 1] = p
  end
  local function plan()
    local size, matrices = {}, {}
    for _, p in ipairs(list) do
      for name, n in pairs{[p.c] = p.m * p.n, [p.a] = p.m * p.k, [p.b] = p.k * p.n} do
        size[name] = math.max(size[name] or 0, n)
      end
    end
    for name, n in pairs(size) do matrices[name] = watch.matrix(n) end
    for _, p in ipairs(list) do p.c, p.a, p.b = matrices[p.c], matrices[p.a], matrices[p.b] end
    return watch.products(list)
  end
  return add, plan
end

-- A linear layer's three products; without that of dx for a first layer.
local function add_linear(add, name, x, n, inputs, outputs, is_first)
  add(name .. "y", x, name .. "w", {n, outputs, inputs})
  add(name .. "dw", x, name .. "dy", {inputs, outputs, n, ta = true})
  if is_first then return end
  add(name .. "dx", name .. "dy", name .. "w", {n, inputs, outputs, tb = true})
end

-- A convolution's over patches that are there already, image by image: for OpenBLAS that is the
-- fastest, up to three times faster than the batch as one product.
local function add_conv(add, name, n, filters, positions, depth, is_first)
  local w, patches, y = name .. "w", name .. "patches", name .. "y"
  add(y, w, patches, {filters, positions, depth, times = n})
  add(name .. "dw", y, patches, {filters, depth, positions, tb = true, times = n})
  if not is_first then
    add(name .. "dx", w, y, {depth, positions, filters, ta = true, times = n})
  end
end

local function mlp_products(hidden)
  local add, plan = product_list()
  add_linear(add, "1", "x", BATCH, 784, hidden, true)
  add_linear(add, "2", "1y", BATCH, hidden, hidden)
  add_linear(add, "3", "2y", BATCH, hidden, 10)
  return plan()
end

local function vae_products()
  local add, plan = product_list()
  add_linear(add, "1", "x", BATCH, 784, 400, true)
  add_linear(add, "mu", "1y", BATCH, 400, 20)
  add_linear(add, "logvar", "1y", BATCH, 400, 20)
  add_linear(add, "2", "z", BATCH, 20, 400)
  add_linear(add, "3", "2y", BATCH, 400, 784)
  return plan()
end

local function lenet_products()
  local add, plan = product_list()
  add_conv(add, "1", BATCH, 6, 28 * 28, 25, true)
  add_conv(add, "2", BATCH, 16, 10 * 10, 150)
  add_linear(add, "3", "2y", BATCH, 400, 120)
  add_linear(add, "4", "3y", BATCH, 120, 84)
  add_linear(add, "5", "4y", BATCH, 84, 10)
  return plan()
end

-- ---- steps ----

local function train(objective, data, steps, on_step)
  return bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 1e-3}, data = data,
                   steps = steps, batch_size = BATCH, key = bnn.key(3), on_step = on_step}
end

-- `count` steps of bnn.train, then `count` times the products, round after round; the first round
-- records the step and warms up.
local function time_steps(objective, data, plan, rounds, count)
  local own, products, start = {}, {}, nil
  train(objective, data, (rounds + 1) * count, function(step)
    if step % count ~= 0 then return end
    if step > count then own[#own + 1] = (watch.now() - start) / count end
    local took = seconds(function() for _ = 1, count do watch.run(plan) end end) / count
    if step > count then products[#products + 1] = took end
    start = watch.now()
  end)
  return own, products
end

-- Seconds a step by part, over `count` steps after a few to warm up.
local function trace_steps(objective, data, threads, count)
  local WARM, booked = 5, nil
  train(objective, data, WARM + count, function(step)
    if step == WARM then watch.trace_start() end
    if step == WARM + count then booked = watch.trace_stop(threads) end
  end)
  for name, took in pairs(booked) do booked[name] = took / count end
  return booked
end

local function bench_steps(cfg, name, objective, data, plan)
  local once = seconds(function() for _ = 1, 10 do watch.run(plan) end end) / 10
  local count = math.max(2, math.floor(0.03 / once))
  for _, threads in ipairs(cfg.threads) do
    bnn.threads(threads)
    add_ratio(name, threads, time_steps(objective, data, plan, cfg.rounds, count))
    local row = trace_steps(objective, data, threads, math.max(4 * count, 40))
    row.name, row.threads = name, threads
    parts[#parts + 1] = row
  end
end

-- ---- the rest of a run ----

local function bench_predict(cfg, data)
  local SAMPLES, IMAGES, CHUNK = 100, 10000, 240 -- chunks as bnn.predict has them
  local objective = networks.mlp(data, 64)
  local x = data:slice(1, IMAGES).x
  local add, plan = product_list()
  local times = SAMPLES * ((IMAGES + CHUNK - 1) // CHUNK)
  add("h1", "x", "w1", {CHUNK, 64, 784, times = times})
  add("h2", "h1", "w2", {CHUNK, 64, 64, times = times})
  add("y", "h2", "w3", {CHUNK, 10, 64, times = times})
  plan = plan()
  for _, threads in ipairs(cfg.threads) do
    local own, products = {}, {}
    bnn.threads(threads)
    bnn.predict(objective, x, {num_samples = 1, key = bnn.key(1)})
    for r = 1, math.min(cfg.rounds, 5) do
      own[r] = seconds(bnn.predict, objective, x, {samples = SAMPLES, key = bnn.key(r)})
      products[r] = seconds(watch.run, plan)
    end
    add_ratio("predict 100 x 10,000", threads, own, products)
  end
end

local function add_time(name, took, limit, note)
  figures[#figures + 1] = {name = name, threads = 1, seconds = took, wanted = limit, note = note}
end

-- Before any program is made: it changes the instruction set.
local function bench_normals(cfg)
  for _, row in ipairs{{"avx512", 1.3}, {"avx2", 0.8}, {"baseline"}} do
    local rates = {}
    for r = 1, cfg.rounds do rates[r] = watch.normals(row[1]) end
    if rates[1] then
      figures[#figures + 1] = {name = "normals, " .. row[1], threads = 1, rate = median(rates),
                               wanted = row[2] and row[2] * 1e9}
    end
  end
end

local function bench_load(cfg)
  if not os.getenv "BNNLUA_DATA" then
    figures[#figures + 1] = {name = "load MNIST from .gz", note = "skipped: BNNLUA_DATA is not set"}
    return
  end
  local took = {}
  for r = 1, math.min(cfg.rounds, 5) do
    took[r] = seconds(function() assert(bnn.data.load "mnist") end)
    collectgarbage()
  end
  add_time("load MNIST from .gz", median(took), 0.5)
end

-- Runs a program to its end; what it says on standard error when it fails.
local function must_run(words)
  local result = assert(core.run_program(words, "", 600))
  if result.status ~= 0 then error(table.concat(words, " ") .. ": " .. result.errors, 0) end
end

local function bench_start(cfg)
  local took = {}
  for r = 1, cfg.rounds do took[r] = seconds(must_run, {cfg.bnnlua, "-e", ""}) end
  add_time("start: bnnlua -e ''", median(took), 0.015)
end

-- First of all: the peak of a child counts what its parent held when it began.
local function bench_whole(cfg)
  local took, words = {}, {cfg.bnnlua, "experiments/mnist.lua", "--threads=2"}
  for r = 1, 3 do took[r] = seconds(must_run, words) end
  add_time("experiments/mnist.lua", median(took), 4.5)
  figures[#figures].threads = 2
  figures[#figures + 1] = {name = "its peak memory", threads = 2, bytes = watch.peak(),
                           wanted = 150e6}
end

-- ---- what is printed ----

local function time_text(s)
  if s < 1e-3 then return ("%.1f us"):format(1e6 * s) end
  return s < 1 and ("%.2f ms"):format(1e3 * s) or ("%.2f s"):format(s)
end

local function value_text(row)
  if row.rate then return ("%.2f G/s"):format(row.rate / 1e9) end
  if row.bytes then return ("%.0f MB"):format(row.bytes / 1e6) end
  return row.seconds and time_text(row.seconds) or row.note
end

local function wanted_text(row)
  if not row.wanted then return "" end
  if row.rate then return (">= %.1f G/s"):format(row.wanted / 1e9) end
  if row.bytes then return ("<= %.0f MB"):format(row.wanted / 1e6) end
  return row.ratio and ("<= %.2f"):format(row.wanted) or "<= " .. time_text(row.wanted)
end

local function figures_text()
  local rows = {}
  for i, row in ipairs(figures) do
    rows[i] = {row.name, row.threads and ("%d"):format(row.threads) or "", value_text(row),
               row.products and time_text(row.products) or "",
               row.ratio and ("%.2f"):format(row.ratio) or "",
               row.ratio and ("%.2f"):format(row.fastest) or "", wanted_text(row)}
  end
  local right = function(title) return {title, align = "right"} end
  return bnn.table_text.render(rows, {"what", right "threads", right "measured", right "products",
    right "ratio", right "fastest", right "wanted"})
end

local columns = {
  {"gather", "gather"}, {"noise, sampling", "sampling"}, {"forward products", "forward"},
  {"dx", "dx"}, {"dw", "dw"}, {"activations, loss", "passes"}, {"update", "update"},
  {"waiting", "waiting"}, {"rest of C", "call"}, {"Lua", "outside"},
}

local function parts_text()
  local rows, header = {}, {"us a step", {"threads", align = "right"}, {"all", align = "right"}}
  for i, column in ipairs(columns) do header[i + 3] = {column[1], align = "right"} end
  for r, row in ipairs(parts) do
    local sum, texts = 0, {row.name, ("%d"):format(row.threads), ""}
    for i, column in ipairs(columns) do
      sum = sum + row[column[2]]
      texts[i + 3] = ("%.1f"):format(1e6 * row[column[2]])
    end
    texts[3], rows[r] = ("%.1f"):format(1e6 * sum), texts
  end
  return bnn.table_text.render(rows, header)
end

local function print_all(machine, data)
  print(("OpenBLAS core %s, our kernels %s, %s; images: %s; batch %d; products: by OpenBLAS on one "
    .. "thread"):format(machine.blas, machine.isa, machine.real, data.title, BATCH))
  print(figures_text())
  if #parts > 0 then
    print("Where a step goes; on several threads each thread's share, waiting included")
    print(parts_text())
  end
end

-- ---- all of it ----

local function run(cfg)
  local machine, asked = {}, {}
  machine.blas, machine.isa, machine.real = watch.machine()
  for _, name in ipairs(cfg.only) do asked[name] = true end
  local function is_asked(name) return #cfg.only == 0 or asked[name] end
  if cfg.whole then bench_whole(cfg) end
  if is_asked "normals" then bench_normals(cfg) end
  local data = assert(bnn.data.load(os.getenv "BNNLUA_DATA" and "mnist" or "glyphs"))
  local images = data.train
  for _, hidden in ipairs(is_asked "steps" and cfg.hidden or {}) do
    bench_steps(cfg, ("step 784-%d-%d-10"):format(hidden, hidden), networks.mlp(images, hidden),
      images, mlp_products(hidden))
  end
  if is_asked "models" then
    bench_steps(cfg, "step VAE", networks.vae(images), images, vae_products())
    bench_steps(cfg, "step LeNet", networks.lenet(images), images, lenet_products())
  end
  if is_asked "predict" then bench_predict(cfg, images) end
  bnn.threads(1)
  if is_asked "load" then bench_load(cfg) end
  if is_asked "start" then bench_start(cfg) end
  if not cfg.json then return print_all(machine, data) end
  print(core.json_encode{machine = machine, figures = figures, parts = parts[1] and parts})
end

if flags.wants_help(arg) then
  io.write(usage.text({about = about, defaults = defaults}, "bench", run))
else
  run(bnn.assert_or_exit(flags.parse(arg, defaults)))
end
