--- Values of the wrong kind: every public function that takes a model, a posterior, params, data, a
-- state or an objective says what it expected and what it got.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. package.path
local lu = require "luaunit"
local bits = require "bits"
local bnn = require "bnn"

local key = bnn.key(3)
local x, y = bnn.randn(key, 8, 3), bnn.tensor({0, 1, 0, 1, 0, 1, 0, 1}, "i32")
local part = bnn.data.from_tensors{x = x, y = y}
local net = bnn.nn.mlp{4, 2}
local params = net:init(key, part)
local q = bnn.posterior.meanfield(params)
local o = bnn.elbo{net = net, posterior = q, temperature = 1, data_size = 8}
local adam = bnn.optim.adam{}
local state = adam:init(o)

-- What each value is called in messages.
local VALUES = {
  {3, "a number"}, {"x", "a string"}, {nil, "nil"}, {{}, "a table"}, {print, "a function"},
  {params, "params"}, {q, "a posterior"}, {key, "a key"}, {x, "a tensor"}, {o, "an objective"},
  {state, "a state"}, {part, "a part of a data set"}, {q:samples(key, 2), "samples"},
  {net, "a layer"}, {adam, "an optimizer"}, {bnn.log.memory(), "a log"},
  {bnn.transform(print), "a net"},
}

local batch = {x = x, y = y}
local opts = {key = key}

-- Words that the message has, a call with the value, and the kinds that are right.
local CALLS = {
  {"bnn.predict: model", function(v) bnn.predict(v, x, opts) end, "an objective"},
  {"bnn.predict: model.posterior", function(v)
    bnn.predict({net = net, posterior = v, likelihood = "categorical"}, x, opts)
  end, "a posterior", "nil"},
  {"bnn.predict: model", function(v)
    bnn.predict({net = net, params = v, likelihood = "categorical"}, x, opts)
  end, "params"},
  {"bnn.predict: model.net", function(v)
    bnn.predict({net = v, params = params, likelihood = "categorical"}, x, opts)
  end, "a layer", "a net"},
  {"bnn.predict: x", function(v) bnn.predict(o, v, {key = key, num_samples = 2}) end, "a tensor",
   "a part of a data set"},
  {"bnn.log_likelihood: model", function(v) bnn.log_likelihood(v, part, opts) end, "an objective"},
  {"bnn.log_likelihood: data", function(v) bnn.log_likelihood(o, v, opts) end,
   "a part of a data set"},
  {"net", function(v) bnn.elbo{net = v, posterior = q} end, "a layer", "a net"},
  {"posterior", function(v) bnn.elbo{net = net, posterior = v} end, "a posterior"},
  {"params", function(v) bnn.objective{params = v, loss = print} end, "params"},
  {"bnn.train", function(v)
    bnn.train{objective = v, optimizer = adam, data = part, steps = 1, key = key, batch_size = 4}
  end, "an objective"},
  {"optimizer", function(v)
    bnn.train{objective = o, optimizer = v, data = part, steps = 0, key = key, batch_size = 4}
  end, "an optimizer"},
  {"data", function(v)
    bnn.train{objective = o, optimizer = adam, data = v, steps = 0, key = key, batch_size = 4}
  end, "a part of a data set"},
  {"optimizer:init", function(v) adam:init(v) end, "an objective", "a posterior", "params"},
  {"step: state", function(v) o:step(v, batch, key) end, "a state"},
  {"step: batch", function(v) o:step(state, v, key) end, "a part of a data set"},
  {"step: key", function(v) o:step(state, batch, v) end, "a key"},
  {"gradient: batch", function(v) o:gradient(v, key) end, "a part of a data set"},
  {"value: batch", function(v) o:value(v, key) end, "a part of a data set"},
  {"evaluate: data", function(v) o:evaluate(v, opts) end, "a part of a data set"},
  {"check_data: data", function(v) o:check_data(v) end, "a part of a data set"},
  {"bnn.posterior.meanfield: params", function(v) bnn.posterior.meanfield(v) end, "params"},
  {"bnn.posterior.moped: params", function(v) bnn.posterior.moped(v) end, "params"},
  {"bnn.posterior.from_params: mu", function(v)
    bnn.posterior.from_params(v, q.logvar)
  end, "params"},
  {"bnn.posterior.from_params: logvar", function(v)
    bnn.posterior.from_params(params, v)
  end, "params"},
  {"bnn.checkpoint.compare: target", function(v) bnn.checkpoint.compare(v, params) end, "params",
   "a table"},
  {"bnn.checkpoint.compare: source", function(v) bnn.checkpoint.compare(params, v) end, "params",
   "a table"},
  {"bnn.checkpoint.load_into: target", function(v) bnn.checkpoint.load_into(v, params) end,
   "params", "a posterior", "a table"},
  {"bnn.checkpoint.load_into: source", function(v) bnn.checkpoint.load_into(params, v) end,
   "params", "a posterior", "a table"},
  {"bnn.checkpoint.describe: model", function(v) bnn.checkpoint.describe(v) end, "a table",
   "an objective", "a posterior", "a state", "a part of a data set", "samples", "a layer", "a net",
   "an optimizer", "a log"},
  {"posterior", function(v) bnn.checkpoint.save("/nowhere/x", {posterior = v}) end, "a posterior",
   "nil"},
  {"params", function(v) bnn.checkpoint.save("/nowhere/x", {params = v}) end, "params", "nil"},
  {"optimizer", function(v) bnn.checkpoint.save("/nowhere/x", {optimizer = v}) end, "a state",
   "nil"},
  {"net:init", function(v) net:init(v, x) end, "a key"},
  {"net:init: x", function(v) net:init(key, v) end, "a tensor", "a part of a data set"},
  {"net:apply", function(v) net:apply(v, x) end, "params", "a table"},
  {"net:apply: x", function(v) net:apply(params, v) end, "a tensor"},
  {"bnn.params.layout_of", function(v) bnn.params.layout_of(v) end, "params"},
  {"params:sub", function(v) params:sub(v) end, "a string"},
  {"params:map", function(v) params:map(v) end, "a layer"},
  {"bnn.samples.stack", function(v) bnn.samples.stack(v) end},
  {"bnn.samples.stack", function(v) bnn.samples.stack{v} end, "params"},
  {"state:update: params", function(v) state:update(v, bnn.zeros(params:numel() * 2)) end, "params",
   "a tensor", "a posterior"},
  {"bnn.data.random_split", function(v) bnn.data.random_split(v, {fraction = 0.5, key = key}) end,
   "a part of a data set"},
  {"bnn.data.standardise", function(v) bnn.data.standardise(v) end, "a part of a data set"},
  {"bnn.data.one_hot: y", function(v) bnn.data.one_hot(v, 2) end, "a table", "a tensor"},
  {"bnn.data.image", function(v) bnn.data.image(v) end, "a string", "a tensor"},
  {"bnn.nn.normal: key", function(v) bnn.nn.normal(v, {2}) end, "a key"},
  {"bnn.nn.truncated_normal: key", function(v) bnn.nn.truncated_normal(v, {2, 3}) end, "a key"},
  {"bnn.nn.truncated_normal_kernel: shape", function(v)
    bnn.nn.truncated_normal_kernel(key, v)
  end, "a table"},
  {"bnn.nn.zeros: shape", function(v) bnn.nn.zeros(key, v) end, "a table"},
  {"bnn.nn.ones: shape", function(v) bnn.nn.ones(key, v) end, "a table"},
  {"bnn.nn.parameter: name", function(v) bnn.nn.parameter(v, {2}, bnn.nn.zeros) end, "a string"},
  {"bnn.nn.parameter: shape", function(v) bnn.nn.parameter("w", v, bnn.nn.zeros) end, "a table"},
  {"bnn.params.layout", function(v) bnn.params.layout(v) end, "a table"},
  {"bnn.params.new", function(v) bnn.params.new(v, x) end, "a table"},
  {"bnn.params.new: flat", function(v) bnn.params.new({}, v) end, "a tensor"},
  {"bnn.params.has_buffer", function(v) bnn.params.has_buffer(v) end, "params"},
  {"bnn.params.sizes", function(v) bnn.params.sizes(v) end, "a table"},
  {"bnn.params.concat", function(v) bnn.params.concat(v, 1) end, "a table"},
  {"bnn.params.pack", function(v) bnn.params.pack(v, {}) end, "a table"},
  {"bnn.params.pack: tensors", function(v) bnn.params.pack({}, v) end, "a table", "params"},
  {"bnn.params.merge", function(v) bnn.params.merge(v) end, "a table"},
  {"bnn.samples.pack", function(v) bnn.samples.pack(v, {}) end, "a table"},
  {"bnn.samples.pack: tensors", function(v) bnn.samples.pack({}, v) end, "a table"},
  {"bnn.checkpoint.flags", function(v) bnn.checkpoint.flags(v) end, "a table"},
  {"bnn.checkpoint.from_flags", function(v) bnn.checkpoint.from_flags(v, {}) end, "a table",
   "an objective", "params", "a posterior", "a state", "a part of a data set", "samples",
   "a layer", "a net", "an optimizer", "a log"},
  {"bnn.log.tee", function(v) bnn.log.tee(v) end, "a table"},
  {"bnn.log.csv", function(v) bnn.log.csv(v) end, "a string"},
  {"bnn.log.jsonl", function(v) bnn.log.jsonl(v) end, "a string"},
  {"bnn.number.fixed", function(v) bnn.number.fixed(v, 3) end, "a number"},
  {"bnn.number.list", function(v) bnn.number.list(v) end, "a table"},
  {"bnn.table_text: rows", function(v) bnn.table_text.render(v, {"a"}) end, "a table"},
  {"bnn.table_text: columns", function(v) bnn.table_text.render({}, v) end, "a table"},
  {"bnn.schedule.piecewise", function(v) bnn.schedule.piecewise(v) end},
  {"bnn.transform: f", function(v) bnn.transform(v) end, "a function"},
  {"audit", function(v) o:audit(v) end, "a table", "nil"},
}

-- Methods that are called with a point instead of a colon, or on something else.
local METHODS = {
  {"objective:step", o.step, "an objective"}, {"objective:evaluate", o.evaluate, "an objective"},
  {"posterior:sample", q.sample, "a posterior"}, {"posterior:kl", q.kl, "a posterior"},
  {"params:clone", params.clone, "params"}, {"params:numel", params.numel, "params"},
  {"samples:names", q:samples(key, 1).names, "samples"},
  {"net:apply", bnn.transform(print).apply, "a net", "a layer"},
  {"layer:init", net.init, "a layer", "a net"},
  {"state:update", state.update, "a state"}, {"optimizer:init", adam.init, "an optimizer"},
  {"part:batches", part.batches, "a part of a data set"},
}

local function is_right(call, kind)
  for i = 3, #call do
    if call[i] == kind then return true end
  end
  return false
end

local function check(words, kind, f, ...)
  local ok, message = pcall(f, ...)
  message = tostring(message)
  lu.assertFalse(ok, words .. " takes " .. kind)
  lu.assertNotStrContains(message, "attempt to", false, words .. " of " .. kind)
  lu.assertNotStrContains(message, "scripts/bnn", false, words .. " of " .. kind)
  lu.assertStrContains(message, words, false, words .. " of " .. kind)
end

TestKinds = {}

function TestKinds.test_arguments_of_the_wrong_kind_are_named_with_what_was_expected()
  for _, call in ipairs(CALLS) do
    for _, value in ipairs(VALUES) do
      if not is_right(call, value[2]) then check(call[1], value[2], call[2], value[1]) end
    end
    if not is_right(call, "nil") then check(call[1], "nil", call[2], nil) end
  end
end

function TestKinds.test_messages_call_a_value_by_its_kind()
  for i, value in pairs(VALUES) do
    if value[2] ~= "params" then
      local _, message = pcall(bnn.posterior.meanfield, value[1])
      lu.assertStrContains(message, "got " .. value[2], false, i)
    end
  end
end

function TestKinds.test_methods_say_what_stands_before_the_colon()
  for _, method in ipairs(METHODS) do
    for _, value in ipairs(VALUES) do
      if not is_right(method, value[2]) then
        check(method[1], value[2], method[2], value[1], key)
        check("before the colon, got " .. value[2], value[2], method[2], value[1], key)
      end
    end
    check("before the colon, got nil", "nil", method[2])
  end
end

function TestKinds.test_the_error_is_at_the_line_of_the_script()
  local line = debug.getinfo(1, "l").currentline + 1
  local _, message = pcall(function() bnn.posterior.meanfield(q) end)
  lu.assertStrContains(message, ("test_wrong_kinds.lua:%d: "):format(line))
  line = debug.getinfo(1, "l").currentline + 1
  _, message = pcall(function() local r = q.sample(key) return r, 1 end)
  lu.assertStrContains(message, ("test_wrong_kinds.lua:%d: "):format(line))
end

-- Params that look into others' memory cannot be trained where they are.
function TestKinds.test_parts_without_a_buffer_are_refused_where_steps_would_change_them()
  local joined = bnn.params.merge{a = params, b = params}
  local last = bnn.posterior.meanfield(joined, {only = {"a/mlp/linear_1", "b/mlp/linear_1"}})
  local some = last.mu:sub "a"
  lu.assertEquals(some.flat:shape(), {some:numel()})
  local ok, message = pcall(bnn.objective, {params = some, loss = print})
  lu.assertFalse(ok)
  lu.assertStrContains(message, "params:clone() copies them")
  bnn.objective{params = some:clone(), loss = print}
end


-- A tensor of no numbers came of them, and sum(prediction) was 0.
function TestKinds.test_tables_by_name_are_no_lists_of_no_numbers()
  local prediction = bnn.predict(o, x, {key = key, num_samples = 2})
  for _, value in ipairs{{a = 1}, {[2] = 1}, {{}, {a = 1}}, params, q, net, part, prediction} do
    for _, f in ipairs{bnn.tensor, bnn.sum, bnn.log, function(v) return x + v end} do
      lu.assertFalse((pcall(f, value)))
    end
  end
  bits.raises("got a table with key a", bnn.tensor, {a = 1})
  lu.assertEquals(bnn.tensor{}:shape(), {0})
  lu.assertEquals(bnn.tensor{{}, {}}:shape(), {2, 0})
end

function TestKinds.test_a_module_that_is_an_op_blames_the_line_of_its_caller()
  bits.raises({"test_wrong_kinds.lua:", "bad argument #1 to 'log'", "got nil"}, function()
    local logs = bnn.log(nil)
    return logs
  end)
end

function TestKinds.test_a_module_that_is_an_op_is_a_function_among_layers()
  local logs = bnn.nn.sequential{function(v) return v:abs() end, bnn.log}
  bits.assert_same(logs:apply(logs:init(key, x), x), x:abs():log())
end

function TestKinds.test_a_closed_log_says_so_at_the_line_of_the_script()
  local path = os.tmpname()
  local file = bnn.log.csv(path)
  file:close()
  local function row() file:row(1, {{"a", 1}}) end
  bits.raises({"test_wrong_kinds.lua:", "the file is closed: " .. path}, row)
  local function write() file:write(1, {{"a", 1}}) end
  bits.raises({"test_wrong_kinds.lua:", "the file is closed"}, write)
  os.remove(path)
end

os.exit(lu.LuaUnit.run())
