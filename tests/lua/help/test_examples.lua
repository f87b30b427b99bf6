--- Every example in help, in the README and in the guides runs: code indented by four spaces in a
-- docstring (before its first @), ```lua blocks and indented Lua in Markdown; commands have flags
-- that are known.
--
-- Each runs by itself in a folder of its own for files, with the names that examples take as given
-- (model, data, key, ...): a small network and drawn digits. In their `bnn` trainings are two steps
-- of 16 examples, predictions two networks, sweeps twelve trials; every data set is those digits.
local lu = require "luaunit"
local help = require "bnn.help.help"
local real = require "bnn"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- The program: `bnnlua -e CODE this_file` has more than it in front of the script.
local program = os.getenv "BNNLUA" or arg[-1]

-- Where this file is, whichever folder the program runs in.
local root = os.getenv "EXAMPLES_ROOT"
if not root then -- again, inside a folder that is taken away
  local here = assert(io.popen "pwd"):read "l"
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
  local found = program:find "^/" and program or here .. "/" .. program
  local script = arg[0]:find "^/" and arg[0] or here .. "/" .. arg[0]
  local ok, _, status = os.execute(("cd %s && EXAMPLES_ROOT=%s BNNLUA_OFFLINE=1 %s %s %s"):format(
    folder, script:match "^(.*)/tests/lua/", found, script, table.concat(arg, " ")))
  os.execute("rm -rf " .. folder)
  os.exit(ok and 0 or status)
end

-- ---- what examples take as given ----

local key = real.key(1)
local digits = assert(real.data.load "glyphs")
local function some(part, n) return part:slice(1, n) end
local data = {train = some(digits.train, 160), test = some(digits.test, 32), name = "glyphs"}
data.title, data.dir = digits.title, digits.dir
local letters = {test = some(assert(real.data.load "letters").test, 32)}

local function copy(t, more)
  local new = {}
  for k, v in pairs(t or {}) do new[k] = v end
  for k, v in pairs(more) do new[k] = v end
  return new
end

-- The library with its slow calls made short.
local short = setmetatable({}, {__index = real})
function short.train(opts)
  return real.train(copy(opts, {steps = 2, batch_size = 16, log = opts.log or function() end}))
end
function short.predict(model, x, opts)
  return real.predict(model, x, copy(opts, {num_samples = 2}))
end
function short.sweep(opts)
  local few = {trials = opts.trials and math.min(opts.trials, 12), runs = "runs", seeds = 1}
  few.config = copy(opts.config, type(opts.experiment) == "string" and {steps = 2} or {})
  return real.sweep(copy(opts, few))
end
short.data = setmetatable({load = function() return data end}, {__index = real.data})
short.vmap = real.vmap

local function objective_of(net)
  return real.elbo{net = net, posterior = real.posterior.meanfield(net:init(key, data.train)),
                   likelihood = "categorical", temperature = 1, data_size = data.train.size}
end

-- The names, new for each example, as steps change things in place.
local function environment()
  local net = real.nn.mlp{8, 8, 10}
  local objective = objective_of(net)
  local q = objective.posterior
  local model = {net = net, posterior = q, likelihood = "categorical"}
  local x, y, o = data.test.x, data.test.y, {num_samples = 2, key = key}
  local p = real.predict(model, x, o)
  local scores = {0.1, 0.4, 0.35, 0.8}
  local env = setmetatable({
    bnn = short, key = key, data = data, letters = letters, net = net, objective = objective,
    posterior = q, q = q, model = model, params = q:mean(),
    state = real.optim.adam{}:init(objective), x = x, y = y, o = o, p = p, prediction = p,
    images = x, part = data.test, validation = data.test, calibration = data.test,
    id = p, ood = real.predict(model, letters.test.x, o),
    scores = scores, labels = {0, 0, 1, 1}, threshold = 0.3, log = real.log.memory(),
    cfg = {lr = 1e-3}, fit = function(own) return net:init(own, data.train) end,
    stats = {mean = real.zeros(28, 28), std = real.ones(28, 28)}, grid = {-1, 0, 1},
    std = real.rand(key, 3, 3), samples = real.rand(key, 4, 8, 8), w = real.ones(2, 2),
    b = real.zeros(2), f = function(w, input) return net:apply(w, input) end,
    predict = function(input) return real.predict(model, input, o) end,
    loss = function(w, input, label)
      input = input or x
      if label == nil then return net:apply(w, input):mean() end
      return net:apply(w, input:reshape(1, 28, 28)):mean() + label:real():sum() * 0
    end,
    require = function(name) return name == "bnn" and short or require(name) end,
    print = function(...)
      for i = 1, select("#", ...) do tostring((select(i, ...))) end
    end,
  }, {__index = _G})
  return env
end

-- What single examples mean by these names.
local MEANT = {
  ["bnn.value_and_grad"] = function(env)
    env.x, env.y, env.params = real.ones(3, 2), real.ones(3, 1), {w = real.ones(2, 1)}
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

-- The files that examples open: a training's folder and copies of its checkpoint.
local function make_files()
  local made = objective_of(real.nn.mlp{8, 10})
  real.train{objective = made, optimizer = real.optim.adam{}, data = data.train, steps = 2,
             batch_size = 16, key = key, log = function() end,
             checkpoint = {path = "night", every = 1}}
  real.calibration.keep("night", {validation = data.test, key = key, num_samples = 2})
  os.execute "mkdir -p runs/mnist && cp night/*2.safetensors mnist.safetensors"
  os.execute(("ln -s %s/experiments experiments"):format(root))
  for _, folder in ipairs{"runs/mnist", "night"} do
    os.execute(("cp mnist.safetensors %s/best.safetensors"):format(folder))
  end
  local plain = real.nn.mlp{8, 10}
  local described = real.checkpoint.describe{net = plain, likelihood = "categorical"}
  assert(real.checkpoint.save("mlp.safetensors", {params = plain:init(key, data.train),
                                                  model = described}))
  assert(real.data.save("x.npy", real.ones(2, 3)))
  assert(real.data.save("x.npz", {x = real.ones(2, 3), y = real.tensor({0, 1}, "i32")}))
  local csv <close> = assert(io.open("x.csv", "w"))
  csv:write "a,b,y\n1,2,0\n3,4,1\n"
end

-- ---- running ----

local function run(name, code, meant)
  local env = environment()
  if meant then meant(env) end
  local stdout, chunk, fault = io.stdout, load(code, "=" .. name, "t", env)
  lu.assertNotNil(chunk, fault)
  local sink <close> = assert(io.open("/dev/null", "w"))
  io.output(sink) -- io.write, as of reports
  local ok, message = xpcall(chunk, debug.traceback)
  io.output(stdout)
  if not ok then lu.fail(name .. ": " .. tostring(message) .. "\n" .. code) end
end

-- The code in a docstring, or nil.
local function code_of(doc)
  local lines = {}
  for line in doc:gmatch "[^\n]*" do
    if line:find "^@" then break end
    if line:find "^    " then lines[#lines + 1] = line end
  end
  return lines[1] and table.concat(lines, "\n")
end

TestHelpExamples, TestTexts = {}, {}

local count, without, noted = 0, {}, {}
for _, entry in ipairs(help.entries(real)) do
  local code = code_of(entry.doc or "")
  if code then
    count = count + 1
    local meant = MEANT[entry.name]
    local test = "test_" .. entry.name
    while TestHelpExamples[test] do test = test .. "'" end -- methods of that name of two modules
    TestHelpExamples[test] = function() run(entry.name, code, meant) end
  elseif (entry.call or not entry.field) and not noted[entry.name] then -- no module or constant
    without[#without + 1], noted[entry.name] = entry.name, true
  end
end

function TestHelpExamples.test_there_are_many() lu.assertTrue(count >= 35, count) end

function TestHelpExamples.test_every_public_function_has_one()
  lu.assertEquals(table.concat(without, " "), "")
end

-- The texts in Markdown: the README and the guides.
local texts = {"README.md"}
for _, script in ipairs(require "bnn.loader".list()) do
  if script.path:find "%.md$" then texts[#texts + 1] = script.path end
end

-- The code of a text: {line, text}.
local function blocks_of(path)
  local blocks, fenced, indented, number = {}, nil, nil, 0
  local function finish(block)
    if block then blocks[#blocks + 1] = {block.line, table.concat(block, "\n")} end
  end
  for line in (read(root .. "/" .. path) .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    if line:find "^```" then
      finish(fenced)
      fenced = not fenced and line == "```lua" and {line = number} or nil
    elseif fenced then
      fenced[#fenced + 1] = line
    elseif indented and line:find "^    " or line:find "^    local " or line:find "^    bnn%." then
      indented = indented or {line = number}
      indented[#indented + 1] = line
    else
      finish(indented)
      indented = nil
    end
  end
  return blocks
end

local fences = 0
for _, path in ipairs(texts) do
  for _, block in ipairs(blocks_of(path)) do
    local name = path .. ":" .. block[1]
    fences = fences + 1
    TestTexts["test_" .. name] = function() run(name, block[2]) end
  end
end

function TestTexts.test_there_are_some() lu.assertTrue(fences >= 25, fences) end

local usages = {}

-- The flags of an experiment, or of a tool, as its --help lists them.
local function usage_of(what)
  if not usages[what] then
    local pipe <close> = assert(io.popen(("%s %s --help"):format(program, what)))
    usages[what] = pipe:read "a"
  end
  return usages[what]
end

-- Every flag in a command is one of its experiment's.
function TestTexts.test_commands_have_known_flags()
  local seen = 0
  for _, path in ipairs(texts) do
    local text = read(root .. "/" .. path):gsub("\\\n%s*", "")
    for file, rest in text:gmatch "build/bnnlua experiments/([%w_]+%.lua)([^\n`#]*)" do
      local usage = usage_of(root .. "/experiments/" .. file)
      for flag in rest:gmatch "%-%-([%w_]+)" do
        seen = seen + 1
        local name = flag:gsub("^no_", "")
        local is_listed = usage:find("--" .. name, 1, true)
          or usage:find("--[no_]" .. name, 1, true)
        lu.assertTrue(is_listed ~= nil or flag == "help", path .. ": " .. file .. " --" .. flag)
      end
    end
  end
  lu.assertTrue(seen > 8, seen)
end

-- Every file that a text names is there, and so is what its links lead to.
function TestTexts.test_files_and_links_lead_somewhere()
  local seen = 0
  local function check(path, file)
    seen = seen + 1
    local found = io.open(root .. "/" .. file)
    lu.assertNotNil(found, path .. " names " .. file)
    found:close()
  end
  for _, path in ipairs(texts) do
    local text, folder = read(root .. "/" .. path), path:match "^.*/" or ""
    for link in text:gmatch "%]%(([%w_./]+)%)" do check(path, folder .. link) end
    for name in text:gmatch "`([%w_]+/[%w_./]+)`" do
      local is_ours = name:find "^runtime/" or name:find "^scripts/" or name:find "^experiments/"
        or name:find "^bindings/" or name:find "^tests/"
      if is_ours and not name:find "NAME" and not name:find "/$" then check(path, name) end
    end
  end
  lu.assertTrue(seen > 40, seen)
end

-- The commands of a text: the lines of its code, and what stands in `backquotes`.
local function commands_of(text)
  local commands, in_code = {}, false
  for line in text:gmatch "[^\n]+" do
    if line:find "^```" then in_code = not in_code end
    if in_code or line:find "^    " then commands[#commands + 1] = line:match "^%s*(.-)%s*$" end
  end
  for code in text:gmatch "`([^`\n]+)`" do commands[#commands + 1] = code end
  return commands
end

-- Every target of make that a command names is in the Makefile.
function TestTexts.test_targets_of_make_are_there()
  local makefile, seen = read(root .. "/Makefile"), 0
  for _, path in ipairs(texts) do
    for _, command in ipairs(commands_of(read(root .. "/" .. path))) do
      local words = command:match "%f[%w]make (.*)$" or ""
      for word in words:gsub("#.*", ""):gmatch "%S+" do
        if not word:find "=" then
          seen = seen + 1
          local rule = "\n" .. word:gsub("%-", "%%-") .. ":"
          lu.assertNotNil(makefile:find(rule), path .. ": make " .. word)
        end
      end
    end
  end
  lu.assertTrue(seen > 10, seen)
end

-- Every name of the library in `code` is public.
function TestTexts.test_names_of_the_library_are_public()
  local public, seen = {}, 0
  for _, entry in ipairs(help.entries(real)) do public[entry.name] = true end
  for _, path in ipairs(texts) do
    for code in read(root .. "/" .. path):gmatch "`(bnn%.[%w_.]+)[^`]*`" do
      seen = seen + 1
      local op = code:match "^bnn%.([%w_]+)$"
      lu.assertTrue(public[code] or op and public["x:" .. op] or op and public["bnn." .. op],
                    path .. ": " .. code)
    end
  end
  lu.assertTrue(seen > 40, seen)
end

make_files()
os.exit(lu.LuaUnit.run())
