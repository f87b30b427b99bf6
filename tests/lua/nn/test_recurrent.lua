--- Recurrent layers: each step as a cell written over ops says it, and its gradient.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local nn, key = bnn.nn, bnn.key(5)
local N, T, D, H = 3, 6, 4, 5
local x = bnn.randn(key:fold "x", N, T, D)

-- The parts of a row of gates, h each.
local function parts(v, count)
  local list, h = {}, v:size(2) // count
  for i = 1, count do list[i] = v:narrow(2, (i - 1) * h + 1, h) end
  return table.unpack(list)
end

-- kind -> function(params' prefix p, input, states) -> states; states[1] is the layer's.
local CELLS = {
  rnn = function(p, input, s) return {(input:mm(p.w) + p.b + s[1]:mm(p.u)):tanh()} end,
  gru = function(p, input, s)
    local r, z, n = parts(input:mm(p.w) + p.b, 3)
    local ur, uz, un = parts(s[1]:mm(p.u), 3)
    r, z = (r + ur):sigmoid(), (z + uz):sigmoid()
    n = (n + r * (un + p.b_u)):tanh()
    return {(1 - z) * n + z * s[1]}
  end,
  lstm = function(p, input, s)
    local i, f, g, o = parts(input:mm(p.w) + p.b + s[1]:mm(p.u), 4)
    local c = f:sigmoid() * s[2] + i:sigmoid() * g:tanh()
    return {o:sigmoid() * c:tanh(), c}
  end,
}

-- The states [n, t, h] of a cell, step by step.
local function unrolled(kind, params, input, reverse, ending)
  local p = {}
  for _, name in ipairs{"w", "u", "b", "b_u"} do
    local tensor = params[kind .. "/" .. name .. (ending or "")]
    p[name] = tensor
  end
  local n, h, list = input:size(1), p.u:size(1), {}
  local states = {bnn.zeros(n, h), bnn.zeros(n, h)}
  for s = 1, T do
    local at = reverse and T + 1 - s or s
    states = CELLS[kind](p, input:select(2, at), states)
    list[at] = states[1]:view(n, 1, h)
  end
  return bnn.concat(list, 2)
end

local function assert_near(got, want, why)
  lu.assertEquals(got:shape(), want:shape(), why)
  local most = (got - want):abs():max():item()
  lu.assertTrue(most <= 2e-5 * (1 + want:abs():max():item()), ("%s: %g apart"):format(why, most))
end

TestCells = {}

for kind in pairs(CELLS) do
  TestCells[("test_%s_is_the_cell_at_every_step"):format(kind)] = function()
    for _, reverse in ipairs{false, true} do
      local net = nn[kind](H, {reverse = reverse})
      local params = net:init(key, x)
      assert_near(net:apply(params, x), unrolled(kind, params, x, reverse), kind)
      local last = nn[kind](H, {reverse = reverse, output = "last"}):apply(params, x)
      assert_near(last, unrolled(kind, params, x, reverse):select(2, reverse and 1 or T), "last")
    end
  end

  TestCells[("test_%s_goes_both_ways_side_by_side"):format(kind)] = function()
    local net = nn[kind](H, {bidirectional = true})
    local params = net:init(key, x)
    local there = unrolled(kind, params, x, false)
    local back = unrolled(kind, params, x, true, "_reverse")
    assert_near(net:apply(params, x), bnn.concat({there, back}, 3), kind)
    local last = nn[kind](H, {bidirectional = true, output = "last"}):apply(params, x)
    assert_near(last, bnn.concat({there:select(2, T), back:select(2, 1)}, 2), "last")
  end

  -- A few units and rows; several panels of rows; and more units than have their u transposed.
  TestCells[("test_%s_has_the_gradient_of_the_cells"):format(kind)] = function()
    for _, size in ipairs{{N, H}, {150, 9}, {2, kind == "rnn" and 260 or 150}} do
      local n, h = table.unpack(size)
      local net, weight = nn[kind](h), bnn.randn(key:fold "weight", n, T, h)
      local input = bnn.randn(key:fold "input", n, T, D)
      local params = net:init(key, input)
      local function loss_of(f)
        return bnn.grad(function(p) return (f(p[1], p[2]) * weight):sum() end){params, input}
      end
      local got = loss_of(function(p, v) return net:apply(p, v) end)
      local want = loss_of(function(p, v) return unrolled(kind, p, v, false) end)
      for _, name in ipairs(params:names()) do assert_near(got[1][name], want[1][name], name) end
      assert_near(got[2], want[2], "x")
    end
  end

  -- The gradient of p is set, added to that of another use, or not asked for.
  TestCells[("test_%s_has_the_same_gradients_beside_others_and_alone"):format(kind)] = function()
    local gates = ({rnn = 1, gru = 3, lstm = 4})[kind]
    local p, u = bnn.randn(key:fold "p", 70, T, gates * H), bnn.randn(key:fold "u", H, gates * H)
    local b = kind == "gru" and {bnn.randn(key:fold "b", H)} or {}
    local function slopes(at, beside)
      return bnn.grad(function(t)
        local given = t.p or p
        local loss = bnn[kind](given, t.u or u, table.unpack(b)):square():sum()
        return beside and loss + given:sum() or loss
      end)(at)
    end
    local both, added = slopes{p = p, u = u}, slopes({p = p, u = u}, true)
    assert_near(added.p, both.p + 1, "p beside a sum")
    assert_near(added.u, both.u, "u beside a sum")
    assert_near(slopes{u = u}.u, both.u, "u alone")
    assert_near(slopes{p = p}.p, both.p, "p alone")
  end
end

TestLayers = {}

function TestLayers.test_one_step_and_no_examples()
  for kind in pairs(CELLS) do
    local net = nn[kind](H)
    local params = net:init(key, x)
    lu.assertEquals(net:apply(params, bnn.zeros(0, T, D)):shape(), {0, T, H})
    assert_near(net:apply(params, x:narrow(2, 1, 1)),
      net:apply(params, x):narrow(2, 1, 1), "the first step")
  end
end

-- Panels and blocks of rows: each sequence by itself, whatever stands beside it.
function TestLayers.test_sequences_do_not_depend_on_each_other_or_on_threads()
  local many = bnn.randn(key:fold "many", 150, T, D)
  for kind in pairs(CELLS) do
    local net = nn[kind](H, {output = "last"})
    local params = net:init(key, x)
    local all = net:apply(params, many)
    assert_near(net:apply(params, many:narrow(1, 140, 2)), all:narrow(1, 140, 2), kind)
    local function trained(threads)
      local before = bnn.threads()
      bnn.threads(threads)
      local q = bnn.posterior.meanfield(params, {logvar = -5})
      local objective = bnn.elbo{net = net, posterior = q, likelihood = "categorical", beta = 0.01}
      local labels = bnn.zeros({150}, "i32")
      local state = bnn.optim.adam{lr = 0.01}:init(objective)
      for step = 1, 2 do
        assert(objective:step(state, {x = many, y = labels}, key:fold(step)))
      end
      bnn.threads(before)
      return q.mu.flat
    end
    bits.assert_same(trained(2), trained(1), kind)
  end
end

-- Blocks of more rows than a panel: the mean over copies of a batch is that over the batch.
function TestLayers.test_a_step_on_copies_of_a_batch_is_one_on_the_batch()
  local few = bnn.randn(key:fold "few", 75, T, D)
  local labels = bnn.zeros({75}, "i32")
  for kind in pairs(CELLS) do
    local net = nn[kind](H, {output = "last"})
    local function stepped(copies)
      local rows, ids = {}, {}
      for i = 1, copies do rows[i], ids[i] = few, labels end
      local params = net:init(key, x)
      local objective = bnn.objective{net = net, params = params, likelihood = "categorical"}
      local state = bnn.optim.sgd{lr = 1}:init(objective)
      assert(objective:step(state, {x = bnn.concat(rows, 1), y = bnn.concat(ids, 1)}, key))
      return params.flat
    end
    assert_near(stepped(4), stepped(1), kind)
  end
end

function TestLayers.test_names_shapes_and_configuration()
  local net = nn.lstm(H, {bidirectional = true, forget_bias = 0})
  local params = net:init(key, x)
  lu.assertEquals(params:names(), {"lstm/w", "lstm/u", "lstm/b", "lstm/w_reverse", "lstm/u_reverse",
                                   "lstm/b_reverse"})
  lu.assertEquals(params["lstm/u"]:shape(), {H, 4 * H})
  lu.assertEquals(params["lstm/b"]:abs():sum():item(), 0)
  lu.assertEquals(tostring(net), "lstm(5, {bidirectional=true, forget_bias=0})")
  lu.assertEquals(tostring(nn.from_config(nn.to_config(net))), tostring(net))
  local forget = nn.lstm(H):init(key, x)["lstm/b"]:narrow(1, H + 1, H)
  lu.assertEquals(forget:totable(), {1, 1, 1, 1, 1})
  lu.assertEquals(nn.gru(H):init(key, x)["gru/b_u"]:shape(), {H})
end

function TestLayers.test_refuse_what_is_no_sequence()
  bits.raises("bnn.nn.lstm: x: expected sequences [n, t, features], got [1, 4]",
    nn.lstm(H).init, nn.lstm(H), key, bnn.ones(3, 4))
  bits.raises("bnn.nn.gru: units: expected", nn.gru, 0)
  bits.raises("bnn.nn.rnn: unknown option 'forget_bias'", nn.rnn, 3, {forget_bias = 1})
  bits.raises("expected p [n, t, 4 h], u [h, 4 h], got p [2, 3, 8], u [3, 12]", bnn.lstm,
    bnn.ones(2, 3, 8), bnn.ones(3, 12))
  bits.raises("b: expected [2] for u [2, 6], got [3]", bnn.gru, bnn.ones(2, 3, 6), bnn.ones(2, 6),
    bnn.ones(3))
end

os.exit(lu.LuaUnit.run())
