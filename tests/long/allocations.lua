--- allocations.lua FOLDER MOST [SCENARIO...] - lets the n-th allocation of an operation fail, for
-- n = 1, 2, ... up to the last, or for MOST of these; run by allocation_test.sh, which preloads
-- fail_alloc.
--
-- Each trial has a process of its own, in which one allocation fails, or that one and all after it.
-- Then the operation's result is what it is undisturbed, or the error says that memory is out; no
-- file is half-written; the same operation, undisturbed, gives the same result; no block is left
-- over.  Prints a line for each scenario that fails and ends with "N passed, M failed".
local folder, most = arg[1], tonumber(arg[2])
local fail_alloc = require "fail_alloc"
local bnn = require "bnn"
local core = require "bnn.core"
core.threads(1)

local HAS = {}
for _, v in ipairs(core.versions()) do HAS[v.name] = not v.version:find "^none" end

local function path_of(name) return folder .. "/" .. name end

local function write(name, text)
  local file <close> = assert(io.open(path_of(name), "wb"))
  assert(file:write(text))
end

local function contents(name)
  local file <close> = io.open(path_of(name), "rb")
  return file and file:read "a"
end

local function length(name)
  local file <close> = assert(io.open(path_of(name), "rb"))
  return assert(file:seek "end")
end

-- ---- what is tried: name -> {make=, run=, files=}; make(s) prepares, run(s) gives a value ----

local scenarios = {}

local function network(s)
  local key = bnn.key(7)
  local y = {}
  for i = 1, 48 do y[i] = i % 3 end
  s.key = key
  s.data = bnn.data.from_tensors{x = bnn.randn(key:fold "x", 48, 5), y = bnn.tensor(y, "i32")}
  s.net = bnn.nn.mlp{6, 3}
end

local function objective_of(s)
  local q = bnn.posterior.meanfield(s.net:init(s.key:fold "init", s.data), {logvar = -7})
  return bnn.elbo{net = s.net, posterior = q, likelihood = "categorical"}
end

local function train(s, opts)
  local objective = objective_of(s)
  opts.objective, opts.data, opts.key = objective, s.data, s.key:fold "train"
  opts.optimizer = bnn.optim.adam{lr = 1e-2}
  opts.batch_size = 16
  bnn.train(opts)
  return objective
end

local function sum(x) return x:real():sum():item() end

scenarios.compile = {run = function()
  local x = bnn.randn(bnn.key(3), 6, 4)
  local f = bnn.compile(function(v) return (v:exp() * 2):sum() end)
  local each = bnn.vmap(function(row) return (row * row):sum() end)
  local value, gradient = bnn.value_and_grad(function(v) return (v * v):sin():sum() end)(x)
  return f(x):item() + sum(each(x)) + value:item() + sum(gradient)
end}

scenarios.train = {make = network, run = function(s)
  local objective = train(s, {steps = 3})
  local p = bnn.predict(objective, s.data, {num_samples = 3, key = s.key:fold "predict"})
  return sum(p.mean) + sum(objective.posterior.mu.flat)
end}

-- Members side by side, one of whose threads may not start.
scenarios.ensemble = {make = network, run = function(s)
  local q = bnn.ensemble{members = 2, threads = 2, key = s.key, fit = function(key)
    local params = s.net:init(key, s.data)
    local objective = bnn.objective{net = s.net, params = params, likelihood = "categorical"}
    bnn.train{objective = objective, optimizer = bnn.optim.sgd{lr = 0.1}, data = s.data,
              steps = 2, batch_size = 16, key = key}
    return params
  end}
  return sum(q.bank.flat)
end}

scenarios.mixture = {make = network, run = function(s)
  local params = s.net:init(s.key, s.data)
  local q = bnn.posterior.mixture{bnn.posterior.meanfield(params), bnn.posterior.point(params),
                                  weights = {2, 1}}
  local model = {net = s.net, posterior = q, likelihood = "categorical"}
  local p = bnn.predict(model, s.data, {num_samples = 6, key = s.key})
  return sum(p.mean) + sum(q:std().flat)
end}

-- A sampler with a collector, several samples of the weights, clipping.
scenarios.collect = {make = network, run = function(s)
  local objective = objective_of(s)
  objective.num_samples, objective.data_size = 4, 48
  local state = bnn.train{objective = objective, data = s.data, steps = 3, batch_size = 16,
                          optimizer = bnn.sampler.sgld{lr = 1e-3, clip_norm = 1}, key = s.key,
                          collect = bnn.collect.samples{keep = 2}}
  return sum(state:posterior().bank.flat)
end}

scenarios.checkpoints = {make = network, run = function(s)
  local path = path_of "steps"
  for _, name in ipairs{"step_00000002", "step_00000004"} do
    os.remove(path .. "/" .. name .. ".safetensors")
  end
  train(s, {steps = 4, checkpoint = {path = path, every = 2}})
  return sum(assert(bnn.checkpoint.load(path .. "/step_00000004.safetensors")).posterior.mu.flat)
end}

scenarios.resume = {make = function(s)
  network(s)
  s.path = path_of "resume"
  for _, step in ipairs{2, 4, 6} do os.remove(("%s/step_%08d.safetensors"):format(s.path, step)) end
  train(s, {steps = 4, checkpoint = {path = s.path, every = 2}})
end, run = function(s)
  local last = s.path .. "/step_00000006.safetensors"
  os.remove(last)
  train(s, {steps = 6, checkpoint = {path = s.path, every = 2, resume = true}})
  return sum(assert(bnn.checkpoint.load(last)).posterior.mu.flat)
end}

scenarios.child = {run = function()
  local job, got, last = assert(core.fork(function(send) send "here" end)), nil, nil
  repeat
    for _, event in ipairs(core.wait_jobs{job}) do
      if event.message then got = event.message else last = event end
    end
  until last
  if last.status ~= 0 then error(last.error or "not enough memory", 0) end
  return got
end}

if HAS.SQLite then
  local ledger = require "bnn.records.ledger"
  local task_queue = require "bnn.records.task_queue"
  scenarios.tasks = {make = function()
    local book <close> = assert(ledger.open(folder, true))
    assert(task_queue.new(book)):add("s", 1, 2)
  end, run = function()
    local book <close> = assert(ledger.open(folder, true))
    local queue = assert(task_queue.new(book))
    assert(queue:reopen("s", {"running", "completed"}))
    local task = assert(queue:claim("s", task_queue.worker()))
    assert(queue:finish(task, "completed"))
    return ("%d %d"):format(task.trial, task.replicate)
  end}
end

local POSTGRES_URL = os.getenv "POSTGRES_URL" -- of a server that allocation_test.sh has started
if POSTGRES_URL then
  scenarios.postgres = {run = function()
    local db <close> = assert(core.sql_open(POSTGRES_URL, true, 5000))
    local rows, names = db:run("SELECT $1::bigint, $2 || repeat('x', 3000) AS b", 7, "y")
    assert(rows, names)
    assert(db:listen "tasks")
    local come, fault = db:notified()
    assert(come == false, fault)
    return ("%d %d %s"):format(rows[1][1], #rows[1][2], names[2])
  end}
end

scenarios.json = {make = function(s)
  s.tree = {a = {1, 2.5, "gr\u{fc}n \n", true}, b = {c = {}}, long = ("\u{20ac}x"):rep(700)}
end, run = function(s)
  local text = core.json_encode(s.tree)
  return text .. core.json_encode(assert(core.json_decode(text)))
end}

local function tensors()
  return {u8 = bnn.ones(3, 4):to "u8", f64 = bnn.ones(2):to "f64", w = bnn.randn(bnn.key(1), 9, 4)}
end

local function sum_all(t)
  local total = 0
  for _, x in pairs(t) do total = total + sum(x) end
  return ("%.6g"):format(total)
end

--- A scenario that saves (the file is old, new or the old one's twin) and one that reads.
local function format_of(name, save, read)
  scenarios["save " .. name] = {files = {"x." .. name}, make = function(s)
    s.value = tensors()
    s.path = path_of("x." .. name)
    assert(save(s.path, s.value))
  end, run = function(s) return assert(save(s.path, s.value)) end}
  scenarios["read " .. name] = {make = function(s)
    s.path = path_of("x." .. name)
    assert(save(s.path, tensors()))
  end, run = function(s) return read(s.path) end}
end

format_of("safetensors", function(path, t)
  return bnn.safetensors.save(path, t, {metadata = {note = "gr\u{fc}n", more = "\n"}})
end, function(path)
  local file <close> = assert(bnn.safetensors.open(path))
  local all = {}
  for _, name in ipairs(file:names()) do all[name] = assert(file:tensor(name)) end
  return sum_all(all) .. file.metadata.note
end)
if HAS.libzip then
  format_of("npz", bnn.data.save, function(path) return sum_all((assert(bnn.data.read(path)))) end)
end
format_of("npy", function(path, t) return bnn.data.save(path, t.w) end,
  function(path) return sum(assert(bnn.data.read(path))) end)
if HAS.libpng then
  format_of("png", function(path, t) return bnn.data.save(path, t.u8) end,
    function(path) return sum(assert(bnn.data.read(path))) end)
end

scenarios["checkpoint"] = {files = {"x.checkpoint"}, make = function(s)
  s.path = path_of "x.checkpoint"
  s.what = {step = 3, extras = {a = bnn.ones(3), b = {1, 2, "z"}, c = 1 / 0}}
  assert(bnn.checkpoint.save(s.path, s.what))
end, run = function(s)
  assert(bnn.checkpoint.save(s.path, s.what))
  local back = assert(bnn.checkpoint.load(s.path))
  return sum(back.extras.a) + back.extras.b[2] + back.step
end}

scenarios["read csv"] = {make = function(s)
  s.path = path_of "x.csv"
  write("x.csv", "a,b,kind\n1,2,x\n3,4,y\n5,6,x\n")
end, run = function(s)
  local part = assert(bnn.data.csv(s.path, {label = "kind"}))
  return sum(part.x) + sum(part.y)
end}

scenarios["read table"] = {make = function(s)
  s.path = path_of "t.csv"
  write("t.csv", "a,b,kind\n1,?,x\n3,4,y\n5,6,x\n")
end, run = function(s)
  local t = assert(bnn.data.table(s.path))
  local like = assert(bnn.data.table(s.path, {like = t:schema()}))
  return sum(t:without "b":part{label = "kind"}.x) + sum(like:column("kind").values)
end}

scenarios["map"] = {make = function(s)
  s.path = path_of "map.npy"
  assert(bnn.data.save(s.path, bnn.ones(7)))
end, run = function(s) return sum(assert(bnn.data.mmap(s.path))) end}

scenarios["plot"] = {files = {"x.svg"}, make = function(s)
  s.path = path_of "x.svg"
end, run = function(s)
  bnn.plot.lines{x = {1, 2, 3}, series = {{y = {1, 4, 9}, label = "a"}}, path = s.path}
  return length "x.svg"
end}

scenarios["log"] = {run = function()
  local log = assert(bnn.log.jsonl(path_of "x.jsonl"))
  log:row(1, {{"loss", 0.25}, {"gr\u{fc}n", 3}})
  log:close()
  return length "x.jsonl"
end}

scenarios["metrics"] = {run = function()
  local p = bnn.randn(bnn.key(1), 20, 3):softmax()
  local y = {}
  for i = 1, 20 do y[i] = i % 3 end
  y = bnn.tensor(y, "i32")
  return bnn.metrics.ece(p, y) + bnn.metrics.accuracy(p, y) + bnn.metrics.nll(p, y)
end}

scenarios["require"] = {run = function()
  local kept = {}
  for name, module in pairs(package.loaded) do
    if name:find "^bnn" and name ~= "bnn.core" then kept[name] = module end
  end
  for name in pairs(kept) do package.loaded[name] = nil end
  local ok, again = pcall(require, "bnn")
  for name, module in pairs(kept) do package.loaded[name] = module end
  assert(ok, again)
  return again.nn ~= nil
end}

-- ---- trials ----

local function alive()
  collectgarbage()
  collectgarbage()
  return (core.memory())
end

local function is_about_memory(text)
  return text:find "out of memory" or text:find "not enough memory" or text:find "Cannot allocate"
    or text:find "no memory" or text:find "Memory allocation failure" -- glibc's of host names
end

local FAULTS = {
  [11] = "another result", [12] = "another error", [13] = "afterwards all is not well",
  [14] = "blocks are left over", [15] = "a file is half-written", [99] = "the trial itself failed",
}

local function remember(n, text) write("why", n .. ": " .. tostring(text)) end

-- Whether every file of the scenario is one that was there before or a complete run's.
local function broken_file(scenario, good)
  for _, name in ipairs(scenario.files or {}) do
    local now = contents(name)
    if now ~= nil and not good[name][now] then return name end
  end
  for name in pairs(core.list_dir(folder)) do
    if name:find "%.part$" then return name end
  end
end

-- In a process of its own.
local function trial(scenario, s, want, good, n, width)
  local before = alive()
  fail_alloc.arm(n, width)
  local ok, result = pcall(scenario.run, s)
  fail_alloc.disarm()
  local text = type(result) == "string" and result or "(" .. type(result) .. ")"
  if ok and result ~= want then
    remember(n, result)
    return 11
  elseif not ok and not is_about_memory(text) then
    remember(n, text)
    return 12
  end
  local broken = broken_file(scenario, good)
  if broken then
    remember(n, broken .. " after " .. text)
    return 15
  end
  local again_ok, again = pcall(scenario.run, s)
  if not again_ok or again ~= want then
    remember(n, ("%s after %s"):format(tostring(again), text))
    return 13
  end
  -- Lua's own limit: a finalizer that finds no memory for its call frame is never called again.
  local lost = fail_alloc.finalizer_lost()
  if not lost and scenario ~= scenarios.require and alive() > before + scenario.steady then
    remember(n, ("%d blocks after %s"):format(alive() - before, text))
    return 14
  end
  return 0
end

-- The contents of the files, now and after another run: what is whole.
local function learn_files(scenario, good)
  for _, name in ipairs(scenario.files or {}) do
    good[name] = good[name] or {}
    local now = contents(name)
    if now then good[name][now] = true end
  end
end

local function run_scenario(name, width, what)
  local scenario, s, good = scenarios[name], {}, {}
  if scenario.make then scenario.make(s) end
  learn_files(scenario, good)
  local want = scenario.run(s)
  learn_files(scenario, good)
  assert(scenario.run(s) == want, name .. ": differs from run to run")
  local before = alive()
  scenario.run(s)
  scenario.steady = math.max(0, alive() - before) -- what a further run keeps: caches
  fail_alloc.arm(math.maxinteger)
  scenario.run(s)
  local total = fail_alloc.disarm()
  local step = math.max(1, total // most)
  local faults, tried = {}, 0
  for n = 1, total, step do
    local kind, status = fail_alloc.try(function()
      return trial(scenario, s, want, good, n, width)
    end)
    tried = tried + 1
    if kind ~= "exit" or status ~= 0 then
      local fault = kind == "exit" and FAULTS[status] or kind .. " " .. status
      if not faults[fault] then
        faults[fault] = 0
        local why = kind == "exit" and contents "why" or ("%d: it ended"):format(n)
        print(("%s, %s: %s (allocation %s)"):format(name, what, fault, why))
      end
      faults[fault] = faults[fault] + 1
    end
  end
  for fault, count in pairs(faults) do
    print(("%s, %s: %s in %d of %d trials"):format(name, what, fault, count, tried))
  end
  return next(faults) == nil
end

local names = {table.unpack(arg, 3)}
if not names[1] then
  for name in pairs(scenarios) do names[#names + 1] = name end
  table.sort(names)
end
local passed, failed = 0, 0
for _, name in ipairs(names) do
  -- what this build has no library for is no scenario
  for width, what in pairs{[1] = "one", [1 << 40] = "all from one on"} do
    if not scenarios[name] then break end
    if run_scenario(name, width, what) then passed = passed + 1 else failed = failed + 1 end
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
