--- Every layer with parameters has a Bayesian version, by its row: a mean-field posterior over its
-- tensors is trained by each estimator, and predicts.
local lu = require "luaunit"
local bnn = require "bnn"
local layer_table = require "bnn.nn.layer_table"

local nn, key = bnn.nn, bnn.key(21)
local ESTIMATORS = {"reparameterization", "local_reparameterization", "flipout"}

-- Layers that are given lengths, which they compute, and parameters of a call: as rows.
local function given(name, layer, width, add)
  local function called(x)
    local more = {lengths = x:select(3, 1):gt(0):sum(2) + 1}
    add(more, x)
    return layer(x, more)
  end
  return {name, kind = "lambda", args = {called, {name = name}}, x = {3, 5, width}}
end

local function from_h0(more) more.h0 = nn.parameter("h0", {4}, nn.normal) end

local function from_h0_and_c0(more)
  from_h0(more)
  more.c0 = nn.parameter("c0", {4}, nn.normal)
end

local function with_bias(more) more.bias = nn.parameter("bias", {1, 5}, nn.normal) end

local rows = table.move(layer_table.rows, 1, #layer_table.rows, 1, {})
for _, row in ipairs{
  given("padded_rnn", nn.rnn(4), 2, from_h0), given("padded_gru", nn.gru(4), 2, from_h0),
  given("padded_lstm", nn.lstm(4), 2, from_h0_and_c0),
  given("masked_attention", nn.multi_head_attention(2), 6, with_bias),
  given("masked_block", nn.transformer_block{heads = 2}, 6, with_bias),
} do rows[#rows + 1] = row end

local function layer_of(row) return nn[row.kind or row[1]](table.unpack(row.args)) end

-- The input of a row: normal draws, or ids from 1.
local function input_of(row)
  if not row.ids then return bnn.randn(key:fold "x", row.x) end
  local ids = {}
  for i = 1, bnn.zeros(row.x):numel() do ids[i] = 3 * i % row.ids + 1 end
  return bnn.tensor(ids, "i32"):view(row.x)
end

-- A classifier of two classes with the row's layer, its posterior, and a batch.
local function case(row)
  local x, labels = input_of(row), {}
  local net = nn.sequential{layer_of(row), nn.flatten(), nn.linear(2)}
  local params = net:init(key, x)
  for i = 1, x:size(1) do labels[i] = i % 2 end
  local q = bnn.posterior.meanfield(params, {logvar = -3})
  return net, q, {x = x, y = bnn.tensor(labels, "i32")}
end

local function finite(x) return x:isfinite():all():item() == 1 end

local function largest_change(a, b) return (a - b):abs():max():item() end

-- The names of the tensors of a row's own layer.
local function own_names(row, q)
  local names = {}
  for _, name in ipairs(q:covered()) do
    if name:find(row[1], 1, true) then names[#names + 1] = name end
  end
  return names
end

-- No KL: what moves, the data moved.
local function check_step(row, estimator)
  local net, q, batch = case(row)
  local elbo = bnn.elbo{net = net, posterior = q, likelihood = "categorical", beta = 0,
                        data_size = 10, estimator = estimator}
  local state, mu, logvar = bnn.optim.adam{lr = 0.01}:init(elbo), {}, {}
  for _, name in ipairs(q:covered()) do
    mu[name], logvar[name] = q.mu[name]:clone(), q.logvar[name]:clone()
  end
  for step = 1, 3 do
    local loss = assert(elbo:step(state, batch, key:fold(step)))
    lu.assertTrue(loss == loss and math.abs(loss) < 1e4, tostring(loss))
  end
  for _, name in ipairs(q:covered()) do
    local why = estimator .. ": " .. name
    lu.assertTrue(finite(q.mu[name]) and finite(q.logvar[name]), why)
    if not name:find "key/b$" then -- a bias of keys moves all scores of a query alike
      lu.assertTrue(largest_change(q.mu[name], mu[name]) > 0, why .. ": mu")
      lu.assertTrue(largest_change(q.logvar[name], logvar[name]) > 0, why .. ": logvar")
    end
  end
  lu.assertTrue(#own_names(row, q) > 0)
end

TestBayesian = {}

local function has_parameters(row)
  local net = layer_of(row)
  return #net:init(key, input_of(row)):names() > 0
end

for _, row in ipairs(rows) do
  if has_parameters(row) then
    TestBayesian[("test_%s_is_trained"):format(row[1])] = function()
      for _, estimator in ipairs(ESTIMATORS) do check_step(row, estimator) end
    end
    TestBayesian[("test_%s_predicts_with_drawn_weights"):format(row[1])] = function()
      local net, q, batch = case(row)
      local model = {net = net, posterior = q, likelihood = "categorical"}
      local p = bnn.predict(model, batch.x, {key = key, num_samples = 8})
      lu.assertEquals(p.mean:shape(), {batch.x:size(1), 2})
      lu.assertTrue(finite(p.mean))
      lu.assertTrue(p.std:max():item() > 0)
      local own = own_names(row, q)
      lu.assertTrue(largest_change(q:sample(key)[own[1]], q:sample(key:fold(1))[own[1]]) > 0)
    end
  end
end

-- Kernels of groups, each of which sees channels of its own.
local GROUPED = {
  {"conv2d", args = {4, 3, {groups = 2}}, x = {3, 4, 5, 6}},
  {"conv2d", args = {3, 3, {groups = 3, stride = 2, padding = 1}}, x = {3, 3, 5, 6}},
  {"conv1d", args = {4, 3, {groups = 2}}, x = {3, 4, 7}},
  {"conv_transpose2d", args = {4, 3, {groups = 2, stride = 2}}, x = {3, 4, 3, 2}},
}

function TestBayesian.test_groups_are_trained()
  for _, row in ipairs(GROUPED) do
    for _, estimator in ipairs(ESTIMATORS) do check_step(row, estimator) end
  end
end

function TestBayesian.test_no_row_with_parameters_is_left_out()
  local count = 0
  for _, row in ipairs(layer_table.rows) do count = count + (has_parameters(row) and 1 or 0) end
  lu.assertTrue(count >= 10, count)
end

os.exit(lu.LuaUnit.run())
