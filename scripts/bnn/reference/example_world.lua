--- What the examples of help take as given: a small network and drawn digits under the names that
-- examples use (model, data, key, ...), files to open, and a library whose slow calls are short:
-- trainings of two steps of 16 examples, predictions of two networks, sweeps of twelve trials, and
-- digits for every data set.
--
-- Works in the folder where the program runs, which should be an empty one.
local M = {}

--- What the names stand for, in words.
M.ABOUT = "Examples ran with small stand-ins for the names that they take as given, such as model, "
  .. "data, key and x: 32 drawn digits, a network 8-8-10. Trainings were cut to two steps, "
  .. "predictions to two networks, sweeps to twelve trials."

local function copy(t, more)
  local new = {}
  for k, v in pairs(t or {}) do new[k] = v end
  for k, v in pairs(more) do new[k] = v end
  return new
end

-- The library with its slow calls made short.
local function shortened(bnn, data)
  local short = setmetatable({}, {__index = bnn})
  function short.train(opts)
    return bnn.train(copy(opts, {steps = 2, batch_size = 16, log = opts.log or function() end}))
  end
  function short.predict(model, x, opts)
    return bnn.predict(model, x, copy(opts, {num_samples = 2}))
  end
  function short.sweep(opts)
    local few = {trials = opts.trials and math.min(opts.trials, 12), runs = "runs", seeds = 1}
    few.config = copy(opts.config, type(opts.experiment) == "string" and {steps = 2} or {})
    return bnn.sweep(copy(opts, few))
  end
  short.data = setmetatable({load = function() return data end}, {__index = bnn.data})
  return short
end

local function objective_of(world, net)
  local bnn, train = world.bnn, world.data.train
  return bnn.elbo{net = net, posterior = bnn.posterior.meanfield(net:init(world.key, train)),
                  likelihood = "categorical", temperature = 1, data_size = train.size}
end

-- What single examples mean by these names.
local MEANT = {
  ["bnn.value_and_grad"] = function(env, bnn)
    env.x, env.y, env.params = bnn.ones(3, 2), bnn.ones(3, 1), {w = bnn.ones(2, 1)}
  end,
  ["bnn.compile"] = function(env)
    env.loss = function(w) return (w.flat ^ 2):sum() end
  end,
  ["bnn.vmap"] = function(env)
    env.loss = function(w, input, label)
      return env.net:apply(w, input:reshape(1, 28, 28)):cross_entropy(label:reshape(1)):mean()
    end
  end,
  ["bnn.plot.roc"] = function(env) env.q = env.ood end,
  ["bnn.plot.lines"] = function(env)
    env.data = {x = env.grid, y = env.grid}
    env.p = {mean = env.grid, total_std = {0.1, 0.2, 0.1}}
  end,
}

-- The names that stand for values of a model, and for its functions.
local function add_model(env, world, net, x)
  env.net, env.fit = net, function(own) return net:init(own, world.data.train) end
  env.f = function(w, input) return net:apply(w, input) end
  env.predict = function(input)
    return world.bnn.predict(env.model, input, {num_samples = 2, key = world.key})
  end
  env.loss = function(w, input, label)
    input = input or x
    if label == nil then return net:apply(w, input):mean() end
    return net:apply(w, input:reshape(1, 28, 28)):mean() + label:real():sum() * 0
  end
end

local function add_tensors(env, world)
  local bnn = world.bnn
  env.stats = {mean = bnn.zeros(28, 28), std = bnn.ones(28, 28)}
  env.stream = bnn.data.stream(function()
    local is_given = false
    return function()
      if is_given then return nil end
      is_given = true
      return {x = bnn.rand(world.key, 100, 3)}
    end
  end)
  env.std, env.samples = bnn.rand(world.key, 3, 3), bnn.rand(world.key, 4, 8, 8)
  env.w, env.b = bnn.ones(2, 2), bnn.zeros(2)
end

--- The names for one example, new for each, as steps change things in place.
-- @param world what M.new returned
-- @param name string: the entry that has the example
-- @param print function that takes the place of print
-- @return table, behind which are Lua's globals
function M.environment(world, name, print)
  local bnn, key, data = world.bnn, world.key, world.data
  local net = bnn.nn.mlp{8, 8, 10}
  local objective = objective_of(world, net)
  local q, x, o = objective.posterior, data.test.x, {num_samples = 2, key = key}
  local model = {net = net, posterior = q, likelihood = "categorical"}
  local p, short = bnn.predict(model, x, o), world.short
  local env = setmetatable({
    bnn = short, key = key, data = data, letters = world.letters, objective = objective,
    posterior = q, q = q, model = model, params = q:mean(),
    state = bnn.optim.adam{}:init(objective), x = x, y = data.test.y, o = o, p = p,
    prediction = p, images = x, part = data.test, validation = data.test, calibration = data.test,
    id = p, ood = bnn.predict(model, world.letters.test.x, o), scores = {0.1, 0.4, 0.35, 0.8},
    labels = {0, 0, 1, 1}, threshold = 0.3, log = bnn.log.memory(), cfg = {lr = 1e-3},
    grid = {-1, 0, 1}, print = print,
    require = function(module) return module == "bnn" and short or require(module) end,
  }, {__index = _G})
  add_model(env, world, net, x)
  add_tensors(env, world)
  if MEANT[name] then MEANT[name](env, bnn) end
  return env
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

--- Writes the files that examples open: a training's folder, copies of its checkpoint, tables.
-- @param world what M.new returned
-- @param experiments string or nil: the folder of experiments, to which `experiments` then links
function M.make_files(world, experiments)
  local bnn, data, key = world.bnn, world.data, world.key
  bnn.train{objective = objective_of(world, bnn.nn.mlp{8, 10}), optimizer = bnn.optim.adam{},
            data = data.train, steps = 2, batch_size = 16, key = key, log = function() end,
            checkpoint = {path = "night", every = 1}}
  bnn.calibration.keep("night", {validation = data.test, key = key, num_samples = 2})
  os.execute "mkdir -p runs/mnist && cp night/*2.safetensors mnist.safetensors"
  if experiments then os.execute(("ln -s '%s' experiments"):format(experiments)) end
  for _, folder in ipairs{"runs/mnist", "night"} do
    os.execute(("cp mnist.safetensors %s/best.safetensors"):format(folder))
  end
  local plain = bnn.nn.mlp{8, 10}
  local described = bnn.checkpoint.describe{net = plain, likelihood = "categorical"}
  assert(bnn.checkpoint.save("mlp.safetensors", {params = plain:init(key, data.train),
                                                 model = described}))
  assert(bnn.data.save("x.npy", bnn.ones(2, 3)))
  assert(bnn.data.save("x.npz", {x = bnn.ones(2, 3), y = bnn.tensor({0, 1}, "i32")}))
  write("x.csv", "a,b,y\n1,2,0\n3,4,1\n")
  write("pets.csv", "age,kind,weight\n3,dog,10\n,cat,4\n12,cat,5.5\n")
  write("more_pets.csv", "kind,age\ncat,1\n")
end

--- Makes a world.
-- @param bnn table: the library
-- @return world
function M.new(bnn)
  local digits = assert(bnn.data.load "glyphs")
  local function some(part, n) return part:slice(1, n) end
  local data = {train = some(digits.train, 160), test = some(digits.test, 32), name = "glyphs"}
  data.title, data.dir = digits.title, digits.dir
  local letters = {test = some(assert(bnn.data.load "letters").test, 32)}
  return {bnn = bnn, key = bnn.key(1), data = data, letters = letters,
          short = shortened(bnn, data)}
end

return M
