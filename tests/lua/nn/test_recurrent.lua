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

-- The states [n, t, h] of a cell, step by step, from states that are zeros if left out; and the
-- last states.
local function unrolled(kind, params, input, reverse, ending, states)
  local p = {}
  for _, name in ipairs{"w", "u", "b", "b_u"} do
    local tensor = params[kind .. "/" .. name .. (ending or "")]
    p[name] = tensor
  end
  local n, t, h, list = input:size(1), input:size(2), p.u:size(1), {}
  states = states or {bnn.zeros(n, h), bnn.zeros(n, h)}
  for s = 1, t do
    local at = reverse and t + 1 - s or s
    states = CELLS[kind](p, input:select(2, at), states)
    list[at] = states[1]:view(n, 1, h)
  end
  return #list > 0 and bnn.concat(list, 2) or nil, states
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

-- ---- states and lengths ----

TestGiven = {}

-- A list of rows as one tensor; concat takes so many at a time.
local function joined(list)
  local most, groups = 32, {}
  if #list <= most then return bnn.concat(list, 1) end
  for i = 1, #list, most do
    groups[#groups + 1] = bnn.concat({table.unpack(list, i, math.min(i + most - 1, #list))}, 1)
  end
  return joined(groups)
end

-- The same of one sequence after the other, each cut to its length; h0 and c0 are lists of a row
-- each. Returns the states, padded with 0, and the last states [n, h].
local function cut(kind, params, input, lengths, reverse, ending, h0, c0)
  local all, last_h, last_c = {}, {}, {}
  for i, length in ipairs(lengths) do
    local h = h0[i]:size(2)
    local states, last = unrolled(kind, params, input:narrow(1, i, 1):narrow(2, 1, length), reverse,
      ending, {h0[i], c0[i]})
    local padding = bnn.zeros(1, input:size(2) - length, h)
    all[i] = states and bnn.concat({states, padding}, 2) or padding
    last_h[i], last_c[i] = last[1], last[2]
  end
  return joined(all), joined(last_h), kind == "lstm" and joined(last_c) or nil
end

-- Rows of a state [n, h], or [h] for all of n.
local function rows_of(state, n)
  local rows = {}
  for i = 1, n do rows[i] = state:dim() == 1 and state:view(1, -1) or state:narrow(1, i, 1) end
  return rows
end

-- Lengths 0 to T of n sequences.
local function lengths_for(n, as)
  local list = {}
  for i = 1, n do list[i] = (i * 3 + 1) % (T + 1) end
  return list, bnn.tensor(list, as or "i32")
end

-- What a network gets as its input: x with its lengths as one more feature.
local function with_lengths(input, lengths)
  local n, t = input:size(1), input:size(2)
  return bnn.concat({input, (lengths:real():view(n, 1, 1) + bnn.zeros(n, t, 1))}, 3)
end

-- A network of the layer, whose parameters hold h0 and c0 [h]; or with one h0 a sequence, which is
-- computed.
local function given_net(layer, has_memory, of_each)
  return bnn.transform(function(input)
    local d = input:size(3) - 1
    local given = {h0 = nn.parameter("h0", {H}, nn.normal),
                   lengths = input:select(2, 1):select(2, d + 1)}
    if of_each then given.h0 = given.h0 + nn.linear(H)(input:select(2, T)) end
    if has_memory then given.c0 = nn.parameter("c0", {H}, nn.normal) end
    return layer(input:narrow(3, 1, d), given)
  end)
end

local function weighted(list, weights)
  local sum = 0
  for i, y in ipairs(list) do sum = sum + (y * weights[i]):sum() end
  return sum
end

-- Values and gradients of states and lengths, shared or one a sequence, in panels too.
local function check_given(kind, reverse, n, shared)
  local layer, has_memory = nn[kind](H, {output = "both", reverse = reverse}), kind == "lstm"
  local input = bnn.randn(key:fold "given", n, T, D)
  local list, lengths = lengths_for(n)
  local shape = shared and {H} or {n, H}
  local at = {p = layer:init(key, input), x = input, h0 = bnn.randn(key:fold "h0", shape),
              c0 = has_memory and bnn.randn(key:fold "c0", shape) or nil}
  local weights = {bnn.randn(key:fold "w1", n, T, H), bnn.randn(key:fold "w2", n, H),
                   bnn.randn(key:fold "w3", n, H)}
  local function ours(v)
    local net = bnn.transform(function(rows)
      return layer(rows, {h0 = v.h0, c0 = v.c0, lengths = lengths})
    end)
    return {net:apply(v.p, v.x)}
  end
  local function theirs(v)
    return {cut(kind, v.p, v.x, list, reverse, "", rows_of(v.h0, n), rows_of(v.c0 or v.h0, n))}
  end
  local got, want = ours(at), theirs(at)
  lu.assertEquals(#got, has_memory and 3 or 2)
  for i = 1, #got do assert_near(got[i], want[i], kind .. " result " .. i) end
  local slope = bnn.grad(function(v) return weighted(ours(v), weights) end)(at)
  local slope_want = bnn.grad(function(v) return weighted(theirs(v), weights) end)(at)
  for _, name in ipairs{"x", "h0", "c0"} do
    if at[name] then assert_near(slope[name], slope_want[name], kind .. " " .. name) end
  end
  for _, name in ipairs(at.p:names()) do
    assert_near(slope.p[name], slope_want.p[name], kind .. " " .. name)
  end
end

for kind in pairs(CELLS) do
  TestGiven[("test_%s_begins_from_a_state_and_ends_with_a_sequence"):format(kind)] = function()
    for _, reverse in ipairs{false, true} do
      check_given(kind, reverse, 5, false)
      check_given(kind, reverse, 5, true)
    end
    check_given(kind, true, 70, false)
  end
end

function TestGiven.test_both_directions_have_states_of_their_own()
  local layer = nn.lstm(H, {output = "both", bidirectional = true})
  local list, lengths = lengths_for(N, "i64")
  local p = layer:init(key, x)
  local h0, c0 = bnn.randn(key:fold "h0", N, 2 * H), bnn.randn(key:fold "c0", N, 2 * H)
  local net = bnn.transform(function(rows)
    return layer(rows, {h0 = h0, c0 = c0, lengths = lengths})
  end)
  local got = {net:apply(p, x)}
  local function half(state, i) return rows_of(state:narrow(2, (i - 1) * H + 1, H), N) end
  local there = {cut("lstm", p, x, list, false, "", half(h0, 1), half(c0, 1))}
  local back = {cut("lstm", p, x, list, true, "_reverse", half(h0, 2), half(c0, 2))}
  for i = 1, 3 do assert_near(got[i], bnn.concat({there[i], back[i]}, -1), "result " .. i) end
end

-- Without lengths, from h0 alone, and "last" is the state of "both".
function TestGiven.test_a_state_alone_leaves_the_memory_at_0()
  local p = nn.lstm(H):init(key, x)
  local h0 = bnn.randn(key:fold "h0", N, H)
  local function call(output, given)
    local layer = nn.lstm(H, {output = output})
    return bnn.transform(function(rows) return layer(rows, given) end):apply(p, x)
  end
  local all, h, c = call("both", {h0 = h0})
  local all_0, h_0, c_0 = call("both", {h0 = h0, c0 = bnn.zeros(N, H)})
  bits.assert_same(all, all_0)
  bits.assert_same(h, h_0)
  bits.assert_same(c, c_0)
  bits.assert_same(call("last", {h0 = h0}), h)
  bits.assert_same(call("all", {h0 = h0}), all)
end

function TestGiven.test_what_stands_in_the_padding_does_not_matter()
  local list, lengths = lengths_for(N)
  local rows = x:totable()
  for i = 1, N do
    for t = list[i] + 1, T do
      for d = 1, D do rows[i][t][d] = 0 / 0 end
    end
  end
  for kind in pairs(CELLS) do
    local layer = nn[kind](H, {output = "both", bidirectional = true})
    local net = bnn.transform(function(input) return layer(input, {lengths = lengths}) end)
    local p = layer:init(key, x)
    local got, want = {net:apply(p, bnn.tensor(rows))}, {net:apply(p, x)}
    for i = 1, #want do bits.assert_same(got[i], want[i]) end
  end
end

-- Steps of a learned initial state over padded sequences, in panels and blocks of rows.
function TestGiven.test_steps_are_the_same_on_any_number_of_threads()
  local n = 150
  local _, lengths = lengths_for(n)
  local batch = {x = with_lengths(bnn.randn(key:fold "many", n, T, D), lengths),
                 y = bnn.zeros({n}, "i32")}
  for kind in pairs(CELLS) do
    local layer = nn[kind](H, {output = "last", reverse = kind == "gru"})
    local net = given_net(layer, kind == "lstm", kind ~= "lstm")
    local params = net:init(key, batch.x)
    local function trained(threads)
      local before = bnn.threads()
      bnn.threads(threads)
      local q = bnn.posterior.meanfield(params, {logvar = -5})
      local objective = bnn.elbo{net = net, posterior = q, likelihood = "categorical", beta = 0.01}
      local state = bnn.optim.adam{lr = 0.01}:init(objective)
      for step = 1, 2 do assert(objective:step(state, batch, key:fold(step))) end
      bnn.threads(before)
      lu.assertTrue((q.mu.h0 - params.h0):abs():min():item() > 0, kind)
      return q.mu.flat
    end
    bits.assert_same(trained(2), trained(1), kind)
    local compiled = bnn.compile(function(w, input) return net:apply(w, input) end)
    compiled(params, batch.x)
    lu.assertNil(compiled:info()[1].mixer, kind) -- blocks of rows, on several threads
    local several = {net:apply(params, batch.x), net:apply(params, batch.x:narrow(1, 91, 9))}
    assert_near(several[2], several[1]:narrow(1, 91, 9), kind)
  end
end

-- Lengths and states that stand beside the sequences in the data.
local function named_net()
  return bnn.transform(function(input)
    local h = nn.embedding(9, 4)(input.tokens)
    h = nn.transformer_block{heads = 2}(h, {lengths = input.lengths})
    return nn.linear(3)(nn.gru(H)(h, {h0 = input.state, lengths = input.lengths}))
  end)
end

-- A part of padded sequences with a label at each step; `fill` is the id in the padding.
local function named_part(n, fill, said_lengths)
  local list, lengths = lengths_for(n)
  local tokens, labels = {}, {}
  for i = 1, n do
    tokens[i], labels[i] = {}, {}
    for t = 1, T do
      local is_there = t <= list[i]
      tokens[i][t] = is_there and (i * t) % 9 + 1 or fill
      labels[i][t] = is_there and (i + t) % 3 or -1
    end
  end
  local state = bnn.randn(key:fold "state", n, H)
  return bnn.data.from_tensors{y = bnn.tensor(labels, "i32"),
    x = {tokens = bnn.tensor(tokens, "i32"), lengths = said_lengths or lengths, state = state}}
end

function TestGiven.test_lengths_and_states_may_be_named_inputs()
  local before, kept = bnn.threads(), {}
  for i, case in ipairs{{1, 1}, {2, 1}, {2, 7}} do
    bnn.threads(case[1])
    local part, net = named_part(150, case[2]), named_net()
    local params = net:init(key, part)
    local objective = bnn.objective{net = net, params = params,
                                    likelihood = bnn.likelihood.categorical{ignore_index = -1}}
    assert(objective:check_data(part))
    local state = bnn.optim.adam{lr = 0.01}:init(objective)
    for step = 1, 3 do assert(objective:step(state, part, key:fold(step))) end
    kept[i] = {params.flat, net:apply(params, part.x)}
  end
  bnn.threads(before)
  bits.assert_same(kept[2][1], kept[1][1])
  assert_near(kept[3][1], kept[1][1], "whatever the padding is")
  local _, lengths = lengths_for(150)
  local seen = bnn.arange(1, T):le(lengths:view(-1, 1)):view(-1, T, 1)
  assert_near(kept[3][2] * seen, kept[1][2] * seen, "whatever the padding is")
end

function TestGiven.test_a_length_in_the_data_is_checked()
  local part, net = named_part(5, 1, bnn.tensor({1, 2, T + 1, 0, 3}, "i32")), named_net()
  local objective = bnn.objective{net = net, params = net:init(key, part),
                                  likelihood = bnn.likelihood.categorical{ignore_index = -1}}
  local stepped, fault = objective:step(bnn.optim.adam{}:init(objective), part, key)
  lu.assertNil(stepped)
  lu.assertStrContains(fault, ("lengths[3]: expected 0 to %d, got %d"):format(T, T + 1))
end

function TestGiven.test_vmap_maps_states_and_weights()
  local _, lengths = lengths_for(N)
  local p, u = bnn.randn(key:fold "p", N, T, 3 * H), bnn.randn(key:fold "u", 2, H, 3 * H)
  local b, h0 = bnn.randn(key:fold "b", H), bnn.randn(key:fold "h0", 2, N, H)
  local each = bnn.vmap(function(weights, state)
    return bnn.gru(p, weights, b, state, lengths)
  end)(u, h0)
  for s = 1, 2 do bits.assert_same(each[s], bnn.gru(p, u[s], b, h0[s], lengths)) end
end

-- A network may compute lengths, of which nothing is known before it runs.
function TestGiven.test_real_lengths_are_cut_to_what_there_is()
  local layer = nn.lstm(H, {output = "both"})
  local p, h0 = layer:init(key, x), bnn.randn(key:fold "h0", H)
  local function call(lengths)
    return {bnn.transform(function(input)
      return layer(input, {h0 = h0, lengths = lengths})
    end):apply(p, x)}
  end
  for _, row in ipairs{{{9, -3, 2.9}, {T, 0, 2}}, {{0 / 0, math.huge, 0.5}, {0, T, 0}}} do
    local got, want = call(bnn.tensor(row[1])), call(bnn.tensor(row[2], "i32"))
    for i = 1, 3 do bits.assert_same(got[i], want[i]) end
  end
end

function TestGiven.test_inputs_are_told_by_rank_and_a_nil_is_none()
  local p, u = bnn.randn(key:fold "p", N, T, H), bnn.randn(key:fold "u", H, H)
  local _, lengths = lengths_for(N)
  local state = bnn.zeros(1, H)
  bits.assert_same(bnn.rnn(p, u, nil, lengths), bnn.rnn(p, u, lengths))
  bits.assert_same(bnn.rnn(p, u, lengths, state), bnn.rnn(p, u, state, lengths))
  bits.assert_same(bnn.rnn(p, u, state), bnn.rnn(p, u))
  bits.assert_same(bnn.rnn(p, u, lengths:real(), true), bnn.rnn(p, u, nil, lengths, true))
  bits.assert_same(bnn.rnn(p, u, true), bnn.rnn(p, u, state, true))
end

function TestGiven.test_what_is_refused()
  local raises, p, u = bits.raises, bnn.ones(2, 3, 8), bnn.ones(2, 8)
  raises("state: expected [2, 4] or [1, 4] for p [2, 3, 8], got [2, 2]", bnn.lstm, p, u,
    bnn.ones(2, 2))
  raises("lengths: expected [2] for p [2, 3, 8], got [3]", bnn.lstm, p, u, bnn.ones(3))
  raises("expected state [n, *] and lengths [n], got [2] and [2]", bnn.lstm, p, u, bnn.ones(2),
    bnn.ones(2))
  raises("lengths[2]: expected 0 to 3, got 4", bnn.lstm, p, u, bnn.tensor({3, 4}, "i32"))
  raises("lengths[1]: expected 0 to 3, got -1", bnn.lstm, p, u, bnn.tensor({-1, 2}, "i64"))
  raises("lengths: expected i32 or i64, got u8", bnn.lstm, p, u, bnn.tensor({1, 2}, "u8"))
  local function net(kind, given)
    local layer = nn[kind](H)
    return bnn.transform(function(rows) return layer(rows, given) end)
  end
  local function refused(text, kind, given)
    local one = net(kind, given)
    raises(text, one.init, one, key, x)
  end
  refused("bnn.nn.gru: unknown option 'c0'", "gru", {c0 = bnn.ones(H)})
  refused("bnn.nn.lstm: c0: expected h0 beside it", "lstm", {c0 = bnn.ones(H)})
  refused("bnn.nn.lstm: h0: expected [1, 5] or [5], got [4]", "lstm", {h0 = bnn.ones(4)})
  refused("bnn.nn.rnn: lengths: expected a tensor, got", "rnn", {lengths = {1}})
  refused("bnn.nn.rnn: lengths: expected [1], got [1, 1]", "rnn", {lengths = bnn.ones(1, 1)})
  refused("bnn.nn.gru: lengths: expected [1], got [2]", "gru", {lengths = bnn.ones(2)})
  raises("output: expected one of all, last, both", nn.gru, 3, {output = "state"})
end

-- ---- layers ----

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
