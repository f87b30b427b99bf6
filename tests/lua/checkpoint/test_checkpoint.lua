--- bnn.checkpoint: what is saved comes back bit for bit; files that are not checkpoints are named.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local files = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"

local checkpoint, safetensors, raises = bnn.checkpoint, bnn.safetensors, bits.raises
if not core.json_encode(true) then -- test_safetensors.lua tells of it
  print "Ran 0 tests in 0.000 seconds, 0 successes, 0 failures"
  os.exit(true)
end

local key = bnn.key(7)
local path

local function in_file(suite)
  function suite:setUp() path = os.tmpname() end
  function suite:tearDown() os.remove(path) end
  return suite
end

local function net_params() return bnn.nn.mlp{5, 3}:init(key:fold "init", core.zeros(1, 4)) end

local function round_trip(state)
  lu.assertTrue(checkpoint.save(path, state))
  return assert(checkpoint.load(path))
end

local function extras_of(extras) return round_trip{extras = extras}.extras end

-- Fails unless two trees have the same keys, types and bits.
local function assert_same_tree(got, want, at)
  at = at or "extras"
  if type(want) == "userdata" then
    lu.assertEquals(tostring(got), tostring(want), at)
    if want.shape then
      lu.assertEquals(got:dtype(), want:dtype())
      bits.assert_same(got, want, at)
    end
  elseif type(want) == "table" then
    lu.assertEquals(type(got), "table", at)
    for k, v in pairs(want) do assert_same_tree(got[k], v, at .. "/" .. tostring(k)) end
    for k in pairs(got) do lu.assertNotNil(want[k], at .. "/" .. tostring(k)) end
  else
    lu.assertEquals(math.type(got), math.type(want), at)
    if math.type(want) == "float" then
      got, want = string.pack("<d", got), string.pack("<d", want)
    end
    lu.assertEquals(got, want, at)
  end
end

TestRoundTrip = in_file{}

function TestRoundTrip.test_parameters_keep_their_order_and_bits()
  local z, b = {name = "z", shape = {2}}, {name = "a/b", shape = {}}
  local m = {name = "m", shape = {0, 3}}
  local p = bnn.params.pack(bnn.params.layout{z, b, m},
    {z = core.tensor{1 / 3, -0.0}, ["a/b"] = core.tensor(0 / 0), m = core.zeros(0, 3)})
  local loaded = round_trip{params = p}.params
  lu.assertTrue(bnn.params.is(loaded))
  lu.assertEquals(loaded:names(), {"z", "a/b", "m"})
  bits.assert_same(loaded, p)
  lu.assertEquals(loaded.m:shape(), {0, 3})
end

function TestRoundTrip.test_a_posterior_comes_back_as_one()
  local q = bnn.posterior.meanfield(net_params(), {logvar = function(name) return -#name / 3 end})
  local loaded = round_trip{posterior = q}.posterior
  lu.assertEquals(getmetatable(loaded), getmetatable(q))
  lu.assertEquals(loaded.mu:names(), q.mu:names())
  bits.assert_same(loaded.mu, q.mu)
  bits.assert_same(loaded.logvar, q.logvar)
  bits.assert_same(loaded:sample(key), q:sample(key))
  lu.assertEquals(loaded:kl(), q:kl())
end

function TestRoundTrip.test_one_tensor_alone_is_no_view_of_the_file()
  local p = bnn.params.pack(bnn.params.layout{{name = "w", shape = {2}}}, {w = core.tensor{1, 2}})
  local loaded = round_trip{params = p}.params
  assert(io.open(path, "wb")):close() -- cut short: what is mapped would end the program
  bits.assert_same(loaded, p)
end

-- A log-variance for some of the names: the others are points.
function TestRoundTrip.test_a_posterior_may_cover_some_tensors()
  local q = bnn.posterior.meanfield(net_params(), {only = {"mlp/linear_0/w", "mlp/linear_1/b"}})
  local loaded = round_trip{posterior = q}.posterior
  lu.assertEquals(loaded.mu:names(), q.mu:names())
  lu.assertEquals(loaded.logvar:names(), {"mlp/linear_0/w", "mlp/linear_1/b"})
  bits.assert_same(loaded.logvar, q.logvar)
  bits.assert_same(loaded:sample(bnn.key(1)), q:sample(bnn.key(1)))
  lu.assertEquals(safetensors.open(path):names(), {
    "logvar/mlp/linear_0/w", "logvar/mlp/linear_1/b", "mu/mlp/linear_0/b", "mu/mlp/linear_0/w",
    "mu/mlp/linear_1/b", "mu/mlp/linear_1/w",
  })
end

-- Ten steps, five of them before a checkpoint, end where fifteen would.
function TestRoundTrip.test_optimizers_go_on()
  for _, optimizer in ipairs{
    bnn.optim.adam{lr = 0.1, b1 = 1 / 3}, bnn.optim.sgd{lr = 0.1, momentum = 0.9},
    bnn.optim.sgd{lr = 1e-2},
  } do
    local p = net_params()
    local state = optimizer:init(p)
    local function step(s, w, t) s:update(w, bnn.randn(key:fold(t), w:numel())) end
    for t = 1, 5 do step(state, p, t) end
    local loaded = round_trip{params = p, optimizer = state}
    local q = loaded.params
    lu.assertEquals(loaded.optimizer:steps(), 5)
    lu.assertEquals(getmetatable(loaded.optimizer), getmetatable(state))
    lu.assertEquals(tostring(loaded.optimizer.optimizer), tostring(optimizer))
    for t = 6, 10 do
      step(state, p, t)
      step(loaded.optimizer, q, t)
    end
    bits.assert_same(q, p)
    lu.assertEquals(loaded.optimizer:steps(), 10)
  end
end

function TestRoundTrip.test_a_schedule_is_asked_for()
  local p = net_params()
  local state = bnn.optim.adam{lr = bnn.schedule.constant(0.1), eps = 1e-3}:init(p)
  state:update(p, core.ones(p:numel()))
  local loaded = round_trip{params = p, optimizer = state}
  raises("learning rate was a function of the step", function()
    loaded.optimizer:update(loaded.params, core.ones(p:numel()))
  end)
  state:update(p, core.ones(p:numel()))
  loaded.optimizer:update(loaded.params, core.ones(p:numel()), 0.1)
  bits.assert_same(loaded.params, p)
  local again = round_trip{optimizer = loaded.optimizer}.optimizer -- still none
  raises("learning rate was a function", again.rate, again, 1)
end

function TestRoundTrip.test_trainings_go_on_to_the_same_bits()
  local labels = {}
  for i = 1, 40 do labels[i] = i % 3 end
  local data = bnn.data.from_tensors{x = bnn.randn(key, 40, 4), y = core.tensor(labels, "i32")}
  local function objective(q)
    return bnn.elbo{net = bnn.nn.mlp{5, 3}, posterior = q, likelihood = "categorical", beta = 1e-3}
  end
  local function train(q, state, steps)
    return bnn.train{objective = objective(q), optimizer = bnn.optim.adam{lr = 1e-2}, data = data,
                     steps = steps, batch_size = 8, key = key:fold "train", state = state}
  end
  local whole, q = bnn.posterior.meanfield(net_params()), bnn.posterior.meanfield(net_params())
  train(whole, nil, 23)
  local loaded = round_trip{posterior = q, optimizer = train(q, nil, 9), key = key:fold "train"}
  lu.assertEquals(loaded.key, key:fold "train")
  train(loaded.posterior, loaded.optimizer, 14)
  bits.assert_same(loaded.posterior.mu, whole.mu)
  bits.assert_same(loaded.posterior.logvar, whole.logvar)
end

function TestRoundTrip.test_keys_and_steps_keep_their_64_bits()
  local least = core.key_of_bits(math.mininteger)
  for _, k in ipairs{bnn.key(0), key:fold "x", core.key_of_bits(-1), least} do
    lu.assertEquals(round_trip{key = k}.key:bits(), k:bits())
  end
  for _, step in ipairs{0, 1, (1 << 53) + 1, math.maxinteger} do
    lu.assertEquals(math.type(round_trip{step = step}.step), "integer")
    lu.assertEquals(checkpoint.load(path).step, step)
  end
  lu.assertEquals(safetensors.open(path):dtype "step", "U64")
end

function TestRoundTrip.test_an_empty_state_has_versions_only()
  local state = round_trip{}
  local versions = bnn.versions()
  lu.assertEquals(table.remove(versions).name, "threads") -- which change no bit
  assert_same_tree(state, {versions = versions})
  assert_same_tree(round_trip(state), state) -- what was loaded can be saved
end

TestExtras = in_file{}

function TestExtras.test_anything_plain_comes_back()
  local extras = {
    temperature = 1.3, third = 1 / 3, zero = -0.0, least = 5e-324, int = math.mininteger,
    float = 3.0, inf = math.huge, minus = -math.huge, nan = 0 / 0, quiet = -(0 / 0), yes = true,
    no = false, text = "grün\n", bytes = "\xff\0\"", empty = "", none = {},
    list = {1, 2.5, {3}, "x", false},
    deep = {a = {b = {c = {d = {}}}}}, ["$dollar"] = 1, ["$$"] = {["$tensor"] = "x"},
    ["with space/and slash"] = 1, key = key, by_class = {[0] = 0.5, [1] = 0.25, [9] = 1},
    mixed = {10, 20, [5] = 50, x = "y", [true] = 1, [2.5] = 2, [-1] = {}, ["a\0"] = "zero"},
  }
  assert_same_tree(extras_of(extras), extras)
  local config = {hidden = {64, 64}, lr = 1e-3, name = "mnist", deep = {inf = math.huge}}
  assert_same_tree(round_trip{config = config}.config, config)
end

function TestExtras.test_tensors_are_tensors_of_the_file()
  local extras = {
    u8 = core.tensor({{1, 2}, {3, 4}}, "u8"), nested = {x = core.tensor({1 / 3, 0 / 0}, "f32")},
    list = {core.tensor(1, "i64"), core.tensor(-1, "u64"), core.tensor(0.1, "f64")},
    none = core.zeros(0), turned = core.tensor({{1, 2}, {3, 4}}, "i32"):t(), [3] = core.tensor{1},
  }
  local loaded = extras_of(extras)
  extras.turned = extras.turned:contiguous()
  assert_same_tree(loaded, extras)
  lu.assertEquals(safetensors.open(path):names(), {
    "extras/3", "extras/list/1", "extras/list/2", "extras/list/3", "extras/nested/x", "extras/none",
    "extras/turned", "extras/u8",
  })
end

function TestExtras.test_standardising_goes_with_the_checkpoint()
  local data = bnn.data
  local train = data.from_tensors{x = bnn.randn(key, 50, 3, 2) * 7 + 100}
  local test = data.from_tensors{x = bnn.randn(key:fold "test", 10, 3, 2) * 7 + 100}
  local _, stats = data.standardise(train)
  local want = data.standardise(test, stats)
  local loaded = extras_of{standardisation = stats, targets = select(2, data.standardise(test))}
  bits.assert_same(data.standardise(test, loaded.standardisation).x, want.x)
  bits.assert_same(loaded.standardisation.mean, stats.mean)
end

function TestExtras.test_what_is_no_data_is_named()
  local loop, deep = {}, {}
  loop.loop = loop
  for _ = 1, 61 do deep = {deep} end
  for words, state in pairs{
    ["extras/f/1: a function is not a plain value"] = {extras = {f = {print}}},
    ["extras/p: bnn.params is not a plain value"] = {extras = {p = net_params()}},
    ["extras/m: an object is not a plain value"] = {extras = {m = setmetatable({}, {})}},
    ["extras/c: a thread is not a plain value"] = {extras = {c = coroutine.create(print)}},
    ["nested more than 60 deep, or hold themselves"] = {extras = loop},
    ["are nested more than"] = {extras = deep},
    ["two tensors would be called 'extras/a/b'"] =
      {extras = {a = {b = core.ones(1)}, ["a/b"] = core.ones(1)}},
    ["cannot be a tensor's name"] = {extras = {["\xff"] = core.ones(1)}},
    ["extras: a table is not a plain key"] = {extras = {[{}] = 1}},
    ["config/x: a tensor is not a plain value"] = {config = {x = core.ones(1)}},
    ["config/x/y: a function is not a plain value"] = {config = {x = {y = print}}},
    ["unknown option 'extra': did you mean 'extras'"] = {extra = {}},
    ["step: expected at least 0, got -1"] = {step = -1},
    ["posterior: expected a posterior, got a table"] = {posterior = {}},
    ["optimizer: expected a state, got an optimizer"] = {optimizer = bnn.optim.adam()},
  } do
    os.remove(path)
    raises(words, checkpoint.save, path, state)
    lu.assertNil(io.open(path))
  end
  raises("bnn.checkpoint.save: path: expected a string, got a table", checkpoint.save, {}, {})
  raises("bnn.checkpoint.load: path: expected a string, got nil", checkpoint.load)
end

TestUpdated = {}

-- In a folder of its own, as it is locked while a file in it is updated.
function TestUpdated:setUp()
  self.folder = files.folder()
  path = self.folder .. "/x.safetensors"
end

function TestUpdated:tearDown() files.remove(self.folder) end

local function read_bytes()
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function full_state(extras)
  local q = bnn.posterior.meanfield(net_params())
  return {
    posterior = q, optimizer = bnn.optim.adam():init(q), key = key, step = 3, extras = extras,
    config = {lr = 1 / 3}, training = {rates = {lr = 0 / 0}}, model = {net = {kind = "mlp"}},
  }
end

-- The file is that which save would have written with all of the extras.
function TestUpdated.test_all_else_stays_to_the_byte()
  local before = {a = core.tensor{1 / 3, 0 / 0}, b = {core.ones(2), x = -0.0}, c = 1}
  local more = {c = {2, core.zeros(3)}, d = {temperature = 1.25, nan = 0 / 0}}
  local all = {a = before.a, b = before.b, c = more.c, d = more.d}
  for i, row in ipairs{{before, more, all}, {nil, more, more}, {before, {}, before}} do
    assert(checkpoint.save(path, full_state(row[3])))
    local want = read_bytes()
    assert(checkpoint.save(path, full_state(row[1])))
    lu.assertTrue(checkpoint.update_extras(path, {extras = row[2]}))
    lu.assertTrue(read_bytes() == want, "row " .. i)
    lu.assertTrue(checkpoint.update_extras(path, {extras = row[2]})) -- once more changes nothing
    lu.assertTrue(read_bytes() == want, "row " .. i)
  end
end

-- What this program would not write itself is not looked at: another precision, versions.
function TestUpdated.test_what_another_program_wrote_stays()
  assert(checkpoint.save(path, full_state()))
  local tensors, metadata = safetensors.load(path)
  tensors["mu/mlp/linear_0/b"] = core.tensor({1, 2, 3, 4, 1 / 3}, "f64")
  metadata.versions, metadata.mine = "[ ]", "ours"
  assert(safetensors.save(path, tensors, {metadata = metadata}))
  lu.assertTrue(checkpoint.update_extras(path, {extras = {x = 1}}))
  local got, texts = safetensors.load(path)
  metadata.extras = '{"x":1}'
  lu.assertEquals(texts, metadata)
  for name, tensor in pairs(tensors) do
    lu.assertEquals(got[name]:dtype(), tensor:dtype())
    bits.assert_same(got[name], tensor, name)
  end
end

-- best.safetensors may be a link to a step: that stays one, and the step's file is updated.
function TestUpdated:test_a_link_is_followed()
  local link = self.folder .. "/best.safetensors"
  for _, target in ipairs{path, "x.safetensors"} do
    assert(checkpoint.save(path, full_state{a = core.randn(key, 5000)}))
    local want = checkpoint.load(path)
    assert(os.execute(("ln -s '%s' '%s'"):format(target, link)))
    lu.assertTrue(checkpoint.update_extras(link, {extras = {b = 2}}))
    local got = checkpoint.load(path)
    bits.assert_same(got.posterior.mu.flat, want.posterior.mu.flat)
    bits.assert_same(got.extras.a, want.extras.a)
    lu.assertEquals(got.extras.b, 2)
    assert(os.remove(link))
    lu.assertEquals(checkpoint.load(path).extras.b, 2) -- it was the link that went
  end
end

-- The folder in which the file lies is the one that is kept, wherever the link is.
function TestUpdated:test_a_link_does_not_pass_by_a_training()
  local other = files.folder()
  assert(checkpoint.save(path, full_state{x = 1}))
  assert(os.execute(("ln -s '%s' '%s/link'"):format(path, other)))
  local _ <close> = assert(core.lock_folder(self.folder))
  local ok, message = checkpoint.update_extras(other .. "/link", {extras = {x = 2}})
  files.remove(other)
  lu.assertNil(ok)
  lu.assertStrContains(message, "another training is writing there")
end

-- What was read may be saved where it came from, through a link as well.
function TestUpdated:test_a_file_is_saved_over_itself()
  local link = self.folder .. "/link"
  local tensors = {a = core.randn(key, 3000), b = core.tensor({1, 2, 3}, "u8")}
  assert(safetensors.save(path, tensors))
  assert(os.execute(("ln -s '%s' '%s'"):format(path, link)))
  for _, name in ipairs{link, path} do
    local file <close> = assert(safetensors.open(link))
    lu.assertTrue(safetensors.save(name, file))
    local read = safetensors.load(path)
    for of, x in pairs(tensors) do bits.assert_same(read[of], x, of) end
  end
end

function TestUpdated:test_what_is_refused_leaves_the_file()
  assert(checkpoint.save(path, full_state{x = 1}))
  local want = read_bytes()
  for words, state in pairs{
    ["update_extras: extras: expected a table, got nothing"] = {},
    ["update_extras: unknown option 'step': known are extras"] = {step = 4, extras = {}},
    ["update_extras: extras/f: a function is not a plain value"] = {extras = {f = print}},
  } do
    raises("bnn.checkpoint." .. words, checkpoint.update_extras, path, state)
    lu.assertTrue(read_bytes() == want)
  end
  raises("bnn.checkpoint.update_extras: path: expected a string, got nil",
    checkpoint.update_extras, nil, {extras = {}})
  local _ <close> = assert(core.lock_folder(self.folder))
  lu.assertEquals({checkpoint.update_extras(path, {extras = {x = 2}})},
    {nil, self.folder .. ": another training is writing there"})
  lu.assertTrue(read_bytes() == want)
end

function TestUpdated.test_what_is_no_checkpoint_is_told()
  local function refuses(words)
    local ok, message = checkpoint.update_extras(path, {extras = {x = 2}})
    lu.assertNil(ok)
    lu.assertStrContains(message, words)
  end
  safetensors.save(path, {w = core.ones(2)})
  refuses(path .. ": is a safetensors file but not a checkpoint")
  safetensors.save(path, {}, {metadata = {format = "bnnlua checkpoint 1", extras = "{"}})
  refuses(path .. ": extras: no JSON at byte")
  os.remove(path)
  refuses(path .. ": No such file")
  path = path .. ".no/x"
  refuses(".no/x: No such file")
end

TestRefused = in_file{}

function TestRefused.test_old_names_say_the_new()
  for old, new in pairs{take = "load_into", of = "from_flags", amend = "update_extras"} do
    raises(("bnn.checkpoint.%s is now bnn.checkpoint.%s"):format(old, new),
      function() return checkpoint[old] end)
  end
  raises("bnn.checkpoint.from_flags: best is now monitor", checkpoint.from_flags, {}, {best = "a"})
end

local function refuses(words, why)
  local state, message = checkpoint.load(path)
  lu.assertNil(state, why)
  lu.assertStrContains(message, path)
  lu.assertStrContains(message, words)
end

-- A checkpoint with one of its metadata or tensors in another form.
local function changed(name, value)
  local q = bnn.posterior.meanfield(net_params())
  assert(checkpoint.save(path, {
    posterior = q, params = net_params(), optimizer = bnn.optim.adam():init(q), key = key, step = 3,
    extras = {x = core.ones(2)}, config = {lr = 1},
  }))
  local tensors, metadata = safetensors.load(path)
  local part = tensors[name] and tensors or metadata
  lu.assertNotNil(part[name], name)
  part[name] = value
  assert(safetensors.save(path, tensors, {metadata = metadata}))
end

function TestRefused.test_anothers_file_is_told()
  safetensors.save(path, {w = core.ones(2)})
  refuses "is a safetensors file but not a checkpoint; bnn.safetensors.open reads its tensors"
  safetensors.save(path, {w = core.ones(2)}, {metadata = {format = "pt"}})
  refuses "not a checkpoint"
  changed("format", "bnnlua checkpoint 2")
  refuses "is a checkpoint of layout 2, this program reads 1"
  assert(io.open(path, "wb")):close()
  refuses "holds no data"
  os.remove(path)
  refuses "No such file"
end

-- A float's checkpoint opens in a build that computes in double; never is anything rounded.
function TestRefused.test_other_precisions_widen_or_are_told()
  local x = core.tensor({0.5, 1, 2}, "f32")
  changed("mu/mlp/linear_1/b", x)
  bits.assert_same(checkpoint.load(path).posterior.mu["mlp/linear_1/b"], x:to(core.real))
  changed("mu/mlp/linear_1/b", x:to "f64")
  if core.real == "f64" then
    bits.assert_same(checkpoint.load(path).posterior.mu["mlp/linear_1/b"], x:to "f64")
  else
    refuses "posterior: 'mu/mlp/linear_1/b' is of f64, this program computes in f32"
  end
end

function TestRefused.test_what_is_wrong_inside_is_told()
  local names = '["mlp/linear_0/w"]'
  local adam = '{"name":"adam","size":86,"options":%s}'
  local rows = {
    {"posterior", "{", "posterior: no JSON at byte"},
    {"posterior", "null", "posterior: is not a table"},
    {"posterior", "3", "posterior: is not a table"},
    {"posterior", "{}", "posterior: expected a posterior of "},
    {"posterior", '{"kind":"meanfield"}', "posterior: the names of mu/ are not a list"},
    {"posterior", '{"kind":"meanfield","mu":[1],"logvar":[]}', "name 1 of mu/ is not a string"},
    {"posterior", '{"kind":"meanfield","mu":[],"logvar":' .. names .. "}",
     "expected tensors of mu in logvar, got 'mlp/linear_0/w'"},
    {"mu/mlp/linear_0/w", nil, "holds no tensor 'mu/mlp/linear_0/w'"},
    {"mu/mlp/linear_0/w", core.ones(4, 6),
     "expected logvar 'mlp/linear_0/w' [4, 6], as in mu, got [4, 5]"},
    {"mu/mlp/linear_0/w", core.tensor({1}, "i32"), "'mu/mlp/linear_0/w' is of i32, this"},
    {"params", '{"names":["no"]}', path .. ": params: holds no tensor 'params/no'"},
    {"params", '{"names":["mlp/linear_0/w","mlp/linear_0/w"]}',
      "name 2 of params/ is not a string, or"},
    {"optimizer", "{}", "optimizer: bnn.optim.from_state_dict: name: expected"},
    {"optimizer", '{"name":"restore","options":{},"size":1}', "name: expected one of adam"},
    {"optimizer", adam:format '{"lr":-1}', "lr: expected a number in [0, inf), got -1"},
    {"optimizer", adam:format '{"rate":1}', "unknown option 'rate'"},
    {"optimizer", '{"name":"adam","options":{},"size":85}', "got " .. core.real .. " [86]"},
    {"optimizer", '{"name":"adam","options":{},"size":1000000000000}', "moment 1: expected"},
    {"optimizer", '{"name":"adam","options":{},"size":-1}', "size: expected at least 0, got -1"},
    {"optimizer", '{"name":"adam","options":{}}', "size: expected"},
    {"optimizer", '{"name":"adam","options":7,"size":86}', "options: expected a table, got 7"},
    {"optimizer/steps", nil, "holds no tensor 'optimizer/steps'"},
    {"optimizer/steps", core.ones(2), "expected a u64 scalar"},
    {"optimizer/steps", core.tensor(-1, "u64"), "steps' is 18446744073709551615, above 2^63 - 1"},
    {"optimizer/moments/2", nil, "moments: expected 2 of adam, got 1"},
    {"optimizer/moments/1", core.ones(3), "got " .. core.real .. " [3]"},
    {"key", core.tensor({1, 2}, "u64"), "'key': expected a u64 scalar, got u64 [2]"},
    {"step", core.tensor(1, "i64"), "'step': expected a u64 scalar, got i64 []"},
    {"step", core.tensor(-1, "u64"), "above 2^63 - 1"},
    {"extras", '{"x":{"$tensor":"no"}}', path .. ": extras: holds no tensor 'no'"},
    {"extras", '{"x":{"$tensor":1}}', "extras: $tensor is out of place"},
    {"extras", '{"x":{"$number":"00"}}', "extras: $number is not 64 bits"},
    {"extras", '{"x":{"$bytes":"0g"}}', "extras: $bytes is not hexadecimal"},
    {"extras", '{"x":{"$key":"7"}}', "extras: $key is not 64 bits"},
    {"extras", '{"x":{"$pairs":[[1]]}}', "extras: $pairs lacks a key or a value"},
    {"extras", '{"x":{"$pairs":[[{"$number":"7ff8000000000000"},1]]}}', "$pairs lacks a key"},
    {"extras", '{"x":{"$pairs":7}}', "extras: $pairs is not a list"},
    {"extras", '{"x":{"$code":"print()"}}', "extras: $code is not known"},
    {"extras", '{"x":{"$bytes":"00","y":1}}', "extras: $"},
    {"config", '{"x":{"$tensor":"extras/x"}}', "config: $tensor is out of place"},
    {"config", "[", "config: no JSON"},
  }
  for _, row in ipairs(rows) do
    changed(row[1], row[2])
    refuses(row[3], row[1] .. " = " .. tostring(row[2]))
  end
end

-- Any of its bytes may be wrong: what comes is a state or a message, and nothing raises. With
-- checksums it is the same state, but for those whose own name is damaged.
function TestRefused.test_a_file_may_be_cut_and_changed_anywhere()
  local p = bnn.params.pack(bnn.params.layout{{name = "w", shape = {2}}}, {w = core.tensor{1, 2}})
  assert(checkpoint.save(path, {
    posterior = bnn.posterior.meanfield(p), optimizer = bnn.optim.sgd{lr = 1}:init(p), key = key,
    step = 3, extras = {x = core.ones(2), y = {[0] = 1 / 0}}, config = {lr = 1},
  }))
  local tensors, metadata = safetensors.load(path)
  metadata.versions = "[]"
  local bytes, loaded
  local function save(checksums)
    assert(safetensors.save(path, tensors, {metadata = metadata, checksums = checksums}))
    local file <close> = assert(io.open(path, "rb"))
    bytes, loaded = file:read "a", 0
    lu.assertTrue(#bytes < 2000, #bytes)
  end
  local function try(changed_bytes, why)
    local out <close> = assert(io.open(path, "wb"))
    out:write(changed_bytes)
    out:close()
    local ok, state, message = pcall(checkpoint.load, path)
    lu.assertTrue(ok, why .. ": " .. tostring(state))
    local told = type(message) == "string" and message:find(path, 1, true) ~= nil
    lu.assertTrue(state ~= nil or told, why)
    if state then loaded = loaded + 1 end
    return state
  end
  local function change_all(masks)
    for i = 1, #bytes do
      for _, mask in ipairs(masks) do
        local byte = string.char(bytes:byte(i) ~ mask)
        try(bytes:sub(1, i - 1) .. byte .. bytes:sub(i + 1), "byte " .. i)
      end
    end
  end
  save(false)
  for n = 0, #bytes - 1 do lu.assertNil(try(bytes:sub(1, n), "cut at " .. n)) end
  change_all{0xff, 1, 4, 0x20}
  lu.assertTrue(loaded > 100, loaded) -- the elements' bytes may be anything
  save(true)
  change_all{4}
  lu.assertTrue(loaded <= #"bnn.crc32" + 7, loaded) -- and up to 7 blanks at the header's end
end

function TestRefused.test_a_failed_write_leaves_the_old_one()
  local ok, message = checkpoint.save(path .. "/no", {step = 1})
  lu.assertNil(ok)
  lu.assertStrContains(message, path .. "/no")
  checkpoint.save(path, {step = 1})
  pcall(checkpoint.save, path, {step = 2, extras = {f = print}})
  lu.assertEquals(checkpoint.load(path).step, 1)
end

function TestRefused.test_nothing_leaks()
  local function alive()
    collectgarbage()
    collectgarbage()
    return (core.memory())
  end
  changed("step", core.tensor(1, "u64"))
  local before = alive()
  for _ = 1, 3 do
    assert(checkpoint.load(path))
    pcall(checkpoint.save, path, {extras = {x = core.ones(1), f = print}})
  end
  lu.assertEquals(alive(), before)
end

os.exit(lu.LuaUnit.run(), true)
