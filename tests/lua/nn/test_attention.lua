--- Attention, positional encodings and the transformer's block: what they compute, what they
-- refuse, and that networks of them train, plain and Bayesian.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local nn, key, raises = bnn.nn, bnn.key(29), bits.raises

local function random(name, ...) return bnn.randn(key:fold(name), ...) end

local function assert_near(got, want, most)
  lu.assertEquals(got:shape(), want:shape())
  lu.assertAlmostEquals((got - want):abs():max():item(), 0, most or 1e-5)
end

-- ---- the op ----

TestOp = {}

-- The same of smaller ops, one head at a time. bias: of all heads, [n or 1, t or 1, s], or a list
-- of such.
local function plain_attention(q, k, v, heads, causal, scale, bias)
  local d, e, results = q:size(3) // heads, v:size(3) // heads, {}
  for h = 1, heads do
    local own_q, own_k = q:narrow(3, (h - 1) * d + 1, d), k:narrow(3, (h - 1) * d + 1, d)
    local scores = own_q:bmm(own_k:permute(1, 3, 2)) * (scale or d ^ -0.5)
    if bias then scores = scores + (type(bias) == "table" and bias[h] or bias) end
    if causal then
      local row = bnn.arange(1, q:size(2)):reshape(-1, 1)
      scores = bnn.where(bnn.arange(1, k:size(2)):le(row), scores, -math.huge)
    end
    results[h] = scores:softmax(-1):bmm(v:narrow(3, (h - 1) * e + 1, e))
  end
  return bnn.concat(results, 3)
end

-- n, t, s, d, e, heads, causal, scale
local CASES = {
  {2, 5, 5, 8, 8, 2, true}, {3, 4, 7, 6, 9, 3, false}, {1, 1, 1, 4, 4, 1, true},
  {2, 70, 150, 4, 2, 1, false, 0.3}, {1, 140, 140, 4, 4, 2, true}, {1, 9, 4, 3, 3, 1, true},
}

function TestOp.test_value_and_gradient_are_those_of_products_and_a_softmax()
  for _, case in ipairs(CASES) do
    local n, t, s, d, e, heads, causal, scale = table.unpack(case, 1, 8)
    local at = {q = random("q", n, t, d), k = random("k", n, s, d), v = random("v", n, s, e)}
    local weight = random("weight", n, t, e)
    local function loss(f)
      return function(x) return (f(x.q, x.k, x.v, heads, causal, scale) * weight):sum() end
    end
    assert_near(bnn.attention(at.q, at.k, at.v, heads, causal, scale),
      plain_attention(at.q, at.k, at.v, heads, causal, scale))
    local got, want = bnn.grad(loss(bnn.attention))(at), bnn.grad(loss(plain_attention))(at)
    for name in pairs(at) do assert_near(got[name], want[name], 1e-4) end
  end
end

-- shape of the bias, heads, t, s, causal
local BIASES = {
  {{5, 7}, 2, 5, 7, false}, {{1, 7}, 1, 5, 7, true}, {{3, 5, 7}, 2, 5, 7, false},
  {{3, 1, 7}, 2, 5, 7, true}, {{1, 5, 7}, 1, 5, 7, false}, {{3, 2, 5, 7}, 2, 5, 7, true},
  {{1, 2, 1, 7}, 2, 5, 7, false}, {{3, 1, 70, 150}, 1, 70, 150, false},
  {{70, 150}, 2, 70, 150, true},
}

-- Of head h, as [n or 1, t or 1, s].
local function bias_of_head(bias, h)
  if bias:dim() == 2 then return bias:view(1, bias:size(1), bias:size(2)) end
  return bias:dim() == 3 and bias or bias:select(2, math.min(h, bias:size(2)))
end

function TestOp.test_a_bias_is_added_to_the_scores()
  for _, case in ipairs(BIASES) do
    local shape, heads, t, s, causal = table.unpack(case)
    local at = {q = random("q", 3, t, 4), k = random("k", 3, s, 4), v = random("v", 3, s, 6),
                bias = random("bias", shape)}
    local weight = random("weight", 3, t, 6)
    local function ours(x) return bnn.attention(x.q, x.k, x.v, x.bias, heads, causal, 0.4) end
    local function theirs(x)
      local list = {}
      for h = 1, heads do list[h] = bias_of_head(x.bias, h) end
      return plain_attention(x.q, x.k, x.v, heads, causal, 0.4, list)
    end
    local function slope(f) return bnn.grad(function(x) return (f(x) * weight):sum() end)(at) end
    assert_near(ours(at), theirs(at))
    local got, want = slope(ours), slope(theirs)
    for name in pairs(at) do assert_near(got[name], want[name], 2e-4) end
  end
end

-- Keys of a hidden position hold numbers that would show, and a whole panel of them comes first.
function TestOp.test_lengths_are_the_mask_of_the_keys_that_they_leave_out()
  for _, sizes in ipairs{{5, 7, {3, 7, 1}}, {70, 300, {140, 300, 5}}} do
    local t, s, list = table.unpack(sizes)
    local at = {q = random("q", 3, t, 4), k = random("k", 3, s, 4), v = random("v", 3, s, 4)}
    local weight = random("weight", 3, t, 4)
    local seen = bnn.arange(1, s):view(1, 1, s):le(bnn.tensor(list):view(3, 1, 1))
    local hidden = bnn.where(seen, 0, -math.huge)
    for _, causal in ipairs{false, true} do
      for _, type in ipairs{"i32", "i64", bnn.zeros(1):dtype()} do
        local lengths = bnn.tensor(list, type)
        local function ours(x) return bnn.attention(x.q, x.k, x.v, lengths, 2, causal) end
        local function masked(x) return bnn.attention(x.q, x.k, x.v, nil, hidden, 2, causal) end
        local function theirs(x)
          return plain_attention(x.q, x.k, x.v, 2, causal, nil, hidden)
        end
        local function slope(f)
          return bnn.grad(function(x) return (f(x) * weight):sum() end)(at)
        end
        local want, want_slope = theirs(at), slope(theirs)
        for _, f in ipairs{ours, masked} do
          assert_near(f(at), want)
          local got = slope(f)
          for name in pairs(at) do assert_near(got[name], want_slope[name], 1e-4) end
        end
      end
    end
  end
  local reversed = bnn.where(bnn.arange(1, 300):gt(200), 0, -math.huge):view(1, 300)
  local q, k, v = random("q", 1, 2, 4), random("k", 1, 300, 4), random("v", 1, 300, 4)
  assert_near(bnn.attention(q, k, v, reversed),
    bnn.attention(q, k:narrow(2, 201, 100), v:narrow(2, 201, 100)))
end

function TestOp.test_what_stands_after_a_length_is_not_read()
  local q, k, v = random("q", 2, 3, 4), random("k", 2, 5, 4), random("v", 2, 5, 4)
  local kept = bnn.arange(1, 5):view(1, 5, 1):le(bnn.tensor{2, 4}:view(2, 1, 1))
  local lengths = bnn.tensor({2, 4}, "i32")
  bits.assert_same(
    bnn.attention(q, bnn.where(kept, k, 0 / 0), bnn.where(kept, v, 0 / 0), lengths, 2),
    bnn.attention(q, k, v, lengths, 2))
end

function TestOp.test_real_lengths_are_cut_to_what_there_is()
  local q = random("q", 5, 3, 4)
  bits.assert_same(bnn.attention(q, q, q, bnn.tensor{9, -1, 1.9, 0 / 0, math.huge}),
    bnn.attention(q, q, q, bnn.tensor({3, 0, 1, 0, 3}, "i32")))
end

-- No length, and a row of a mask that hides every key: 0, and gradients that are 0.
function TestOp.test_a_position_that_sees_no_key_gives_0()
  local at = {q = random("q", 2, 3, 4), k = random("k", 2, 200, 4), v = random("v", 2, 200, 4),
              bias = bnn.zeros(3, 200)}
  local rows = bnn.where(bnn.tensor{{1}, {0}, {1}}, at.bias, -math.huge)
  local y = bnn.attention(at.q, at.k, at.v, rows)
  lu.assertEquals(y:select(2, 2):abs():sum():item(), 0)
  assert_near(y:select(2, 3), bnn.attention(at.q, at.k, at.v):select(2, 3))
  local none = bnn.tensor({0, 0}, "i32")
  lu.assertEquals(bnn.attention(at.q, at.k, at.v, none):abs():sum():item(), 0)
  local function total(f)
    local slopes = bnn.grad(f)(at)
    local sum = 0
    for _, slope in pairs(slopes) do sum = sum + slope:abs():sum():item() end
    return sum
  end
  lu.assertEquals(total(function(x)
    return bnn.attention(x.q, x.k, x.v, none, x.bias):sum()
  end), 0)
  lu.assertEquals(total(function(x)
    local hidden = bnn.where(bnn.tensor{{1}, {0}, {1}}, x.bias, -math.huge)
    return bnn.attention(x.q, x.k, x.v, hidden):select(2, 2):square():sum()
  end), 0)
end

function TestOp.test_vmap_maps_what_may_be_left_out()
  local q, bias = random("q", 3, 5, 4), random("bias", 2, 5, 5)
  local lengths = bnn.tensor({{1, 2, 5}, {3, 0, 4}}, "i32")
  local function of_slice(own, b) return bnn.attention(q, q, q, own, b, 2) end
  local each = bnn.vmap(of_slice)(lengths, bias)
  for i = 1, 2 do bits.assert_same(each[i], bnn.attention(q, q, q, lengths[i], bias[i], 2)) end
end

function TestOp.test_large_scores_do_not_overflow_and_nan_goes_through()
  local q, v = bnn.full({1, 2, 1}, 1e4), bnn.tensor{{{1}, {3}}}
  assert_near(bnn.attention(q, bnn.tensor{{{1e4}, {-1e4}}}, v), bnn.tensor{{{1}, {1}}})
  local nan = bnn.attention(q, bnn.tensor{{{1}, {0 / 0}}}, v):totable()
  lu.assertTrue(nan[1][1][1] ~= nan[1][1][1])
end

function TestOp.test_without_keys_the_result_is_0()
  lu.assertEquals(bnn.attention(bnn.ones(1, 2, 3), bnn.ones(1, 0, 3), bnn.ones(1, 0, 1)):totable(),
    {{{0}, {0}}})
end

function TestOp.test_what_is_refused()
  local x = bnn.ones(2, 3, 4)
  raises("q: expected [n, positions, features], got [3, 4]", bnn.attention, x[1], x, x)
  raises("k: expected [2, *, 4] for q [2, 3, 4], got [2, 3, 5]", bnn.attention, x,
    bnn.ones(2, 3, 5), x)
  raises("v: expected [2, 3, *] for k [2, 3, 4], got [2, 2, 4]", bnn.attention, x, x,
    bnn.ones(2, 2, 4))
  raises("heads: expected a divisor of 4, the features of q, got 3", bnn.attention, x, x, x, 3)
  raises("heads: expected a divisor of 5, the features of v, got 2", bnn.attention, x, x,
    bnn.ones(2, 3, 5), 2)
  raises("expected an integer of 1 or more, got 0", bnn.attention, x, x, x, 0)
  raises("expected an integer of 1 or more, got 1.5", bnn.attention, x, x, x, 1.5)
  raises("expected boolean, got number", bnn.attention, x, x, x, 2, 1)
  raises("scale: expected a finite number, got inf", bnn.attention, x, x, x, 2, true, math.huge)
  raises("bias: expected [3, 3], [2, 3, 3] or [2, 1, 3, 3], or 1 for all but the last, got [3, 1]",
    bnn.attention, x, x, x, bnn.ones(3, 1))
  raises("got [2, 2, 3, 3]", bnn.attention, x, x, x, bnn.ones(2, 2, 3, 3))
  raises("lengths: expected [2] for k [2, 3, 4], got [3]", bnn.attention, x, x, x, bnn.ones(3))
  raises("lengths[2]: expected 0 to 3, got 4", bnn.attention, x, x, x, bnn.tensor({0, 4}, "i32"))
  raises("expected lengths [n] and bias [t, s], got [2] and [2]", bnn.attention, x, x, x,
    bnn.ones(2), bnn.ones(2))
  raises("v: expected", bnn.attention, x, x, bnn.zeros({2, 3, 4}, "i32"))
end

-- ---- layers ----

TestLayers = {}

function TestLayers.test_attention_is_four_products_around_the_op()
  local layer, x = nn.multi_head_attention(2, {causal = true}), random("x", 3, 5, 4)
  local p = layer:init(key, x)
  local names = {}
  for path in pairs(p) do names[#names + 1] = path end
  table.sort(names)
  local at = "multi_head_attention/"
  lu.assertEquals(table.concat(names, " "), ("@key/b @key/w @linear/b @linear/w @query/b @query/w "
    .. "@value/b @value/w"):gsub("@", at))
  local function project(name, input)
    return bnn.linear(input, p[at .. name .. "/w"], p[at .. name .. "/b"])
  end
  local y = plain_attention(project("query", x), project("key", x), project("value", x), 2, true)
  assert_near(layer:apply(p, x), project("linear", y))
end

function TestLayers.test_a_causal_position_sees_nothing_after_it()
  local layer, x = nn.multi_head_attention(2, {causal = true}), random("x", 2, 6, 4)
  local p = layer:init(key, x)
  local other = bnn.concat({x:narrow(2, 1, 4), random("other", 2, 2, 4)}, 2)
  local y, y_other = layer:apply(p, x), layer:apply(p, other)
  assert_near(y_other:narrow(2, 1, 4), y:narrow(2, 1, 4))
  lu.assertTrue((y_other - y):abs():max():item() > 0.01)
end

function TestLayers.test_a_second_tensor_is_what_keys_and_values_come_from()
  local layer, mixed = nn.multi_head_attention(2, {bias = false}), random("x", 3, 9, 4)
  local x, context = mixed:narrow(2, 1, 2), mixed:narrow(2, 3, 7):narrow(3, 1, 3)
  local net = bnn.transform(function(input)
    return layer(input:narrow(2, 1, 2), input:narrow(2, 3, 7):narrow(3, 1, 3))
  end)
  local p = net:init(key, mixed)
  local at = "multi_head_attention/"
  lu.assertEquals(p[at .. "key/w"]:shape(), {3, 4})
  lu.assertNil(p[at .. "key/b"])
  local function w(name) return p[at .. name .. "/w"] end
  local function times(input, name)
    return bnn.linear(input, w(name), bnn.zeros(w(name):size(2)))
  end
  assert_near(net:apply(p, mixed), times(plain_attention(times(x, "query"), times(context, "key"),
    times(context, "value"), 2, false), "linear"))
  local wrong = bnn.transform(function(y) return layer(y, bnn.ones(2, 7, 4)) end)
  raises("context: expected [1, positions, features], got [2, 7, 4]", wrong.init, wrong, key, x)
  wrong = bnn.transform(function(y) return layer(y, 3) end)
  raises("context: expected a tensor, got a number", wrong.init, wrong, key, x)
end

-- A layer called so, on parameters of its own.
local function called(layer, p, x, ...)
  local more = table.pack(...)
  return bnn.transform(function(input)
    return layer(input, table.unpack(more, 1, more.n))
  end):apply(p, x)
end

function TestLayers.test_masks_and_lengths_say_what_is_seen()
  local layer, x = nn.multi_head_attention(2), random("x", 3, 6, 4)
  local p = layer:init(key, x)
  local list = {2, 6, 4}
  local y = called(layer, p, x, {lengths = bnn.tensor(list, "i32")})
  local seen = bnn.arange(1, 6):view(1, 1, 6):le(bnn.tensor(list):view(3, 1, 1))
  for i, length in ipairs(list) do
    local own = x:narrow(1, i, 1)
    assert_near(y:narrow(1, i, 1), called(layer, p, own, own:narrow(2, 1, length)))
  end
  local function same(given) assert_near(called(layer, p, x, given), y) end
  same{mask = seen}
  same{mask = seen:view(3, 1, 1, 6)}
  same{mask = seen:to "i32"}
  same{mask = seen, bias = bnn.zeros(1, 2, 6, 6)}
  same{bias = bnn.where(seen, 0, -math.huge)}
  same{mask = bnn.ones(6, 6), lengths = bnn.tensor(list)}
  assert_near(called(layer, p, x, x, {lengths = bnn.tensor(list)}), y)
  local triangle = bnn.arange(1, 6):le(bnn.arange(1, 6):view(6, 1))
  local causal = nn.multi_head_attention(2, {causal = true})
  assert_near(called(layer, p, x, {mask = triangle}), causal:apply(p, x))
  assert_near(called(layer, p, x, {mask = triangle, lengths = bnn.tensor(list)}),
    called(causal, p, x, {mask = seen}))
end

function TestLayers.test_a_block_hands_on_what_is_seen()
  local block, x = nn.transformer_block{heads = 2}, random("x", 2, 5, 4)
  local p = block:init(key, x)
  local y = called(block, p, x, {lengths = bnn.tensor({3, 5}, "i32")})
  assert_near(y:narrow(1, 1, 1):narrow(2, 1, 3),
    block:apply(p, x:narrow(1, 1, 1):narrow(2, 1, 3)))
  assert_near(y:narrow(1, 2, 1), block:apply(p, x:narrow(1, 2, 1)))
end

function TestLayers.test_what_cannot_be_seen_is_refused()
  local layer, x = nn.multi_head_attention(2), random("x", 1, 3, 4)
  local function refused(text, ...)
    local more = table.pack(...)
    local net = bnn.transform(function(input)
      return layer(input, table.unpack(more, 1, more.n))
    end)
    raises(text, net.init, net, key, x)
  end
  refused("mask: expected [3, 3], [1, 3, 3] or [1, 2, 3, 3], or 1 for all but the last, got [3]",
    {mask = bnn.ones(3)})
  refused("got [3, 1]", {mask = bnn.ones(3, 1)})
  refused("got [1, 3, 3, 3]", {mask = bnn.ones(1, 3, 3, 3)})
  refused("got [2, 3]", nil, {mask = bnn.ones(2, 3)})
  refused("unknown option 'masks': did you mean 'mask'?", {masks = bnn.ones(3, 3)})
  refused("lengths: expected a tensor, got", {lengths = {1}})
  refused("lengths: expected [1], got [1, 1]", {lengths = bnn.ones(1, 1)})
  refused("lengths: expected [1], got [2]", {lengths = bnn.ones(2)})
end

function TestLayers.test_what_layers_refuse()
  local attention = nn.multi_head_attention(3)
  raises("x: expected features in 3 heads, got [1, 2, 4]", attention.init, attention, key,
    bnn.ones(1, 2, 4))
  raises("x: expected [n, positions, features], got [1, 4]", attention.init, attention, key,
    bnn.ones(1, 4))
  raises("bnn.nn.multi_head_attention: heads: expected", nn.multi_head_attention, 0)
  raises("bnn.nn.transformer_block: heads: expected a number of heads", nn.transformer_block, {})
  raises("activation", nn.transformer_block, {heads = 1, activation = "gleu"})
  raises('max_length: expected a number of positions for "learned"', nn.positional_encoding,
    "learned")
  raises("bnn.nn.positional_encoding: kind", nn.positional_encoding, "rotary")
  local encoding = nn.positional_encoding("learned", {max_length = 2})
  raises("x: expected at most 2 positions, got [1, 3, 4]", encoding.init, encoding, key,
    bnn.ones(1, 3, 4))
  raises("x: expected [n, positions, d], got [1, 4]", encoding.init, encoding, key, bnn.ones(3, 4))
end

function TestLayers.test_sinusoids_are_those_of_the_paper()
  for _, d in ipairs{1, 4, 5} do
    local y = nn.positional_encoding():apply({}, bnn.ones(2, 3, d)):totable()
    for n = 1, 2 do
      for t = 1, 3 do
        for i = 1, d do
          local angle = (t - 1) / 10000 ^ (2 * ((i - 1) // 2) / d)
          local want = 1 + (i % 2 == 1 and math.sin or math.cos)(angle)
          lu.assertAlmostEquals(y[n][t][i], want, 1e-6)
        end
      end
    end
  end
end

function TestLayers.test_a_learned_encoding_adds_its_first_rows()
  local encoding, x = nn.positional_encoding("learned", {max_length = 5}), random("x", 2, 3, 4)
  local p = encoding:init(key, x)
  local w = p["positional_encoding/w"]
  lu.assertEquals(w:shape(), {5, 4})
  lu.assertTrue(w:std():item() < 0.04)
  assert_near(encoding:apply(p, x), x + w:narrow(1, 1, 3))
end

-- A block and the same of its parts, in a container whose paths are the block's.
local function check_block(norm_first)
  local block = nn.transformer_block{heads = 2, hidden = 7, norm_first = norm_first}
  local x = random("x", 2, 3, 4)
  local params, p = block:init(key, x), {}
  for path, value in pairs(params) do
    p[path] = value + random(path, value:shape()) * 0.2
  end
  local function part(layer, from, to, input)
    local own, kind = {}, to:gsub("/.*", "")
    for path, value in pairs(p) do
      local rest = path:match("^transformer_block/" .. from .. "/(.*)$")
      if rest then own[kind .. "/" .. rest] = value end
    end
    return layer:apply(own, input)
  end
  local function norm(i, input)
    return part(nn.layer_norm(), "layer_norm_" .. i, "layer_norm", input)
  end
  local function attend(input)
    return part(nn.multi_head_attention(2), "multi_head_attention_0", "multi_head_attention", input)
  end
  local function wide(input)
    local h = part(nn.linear(7), "linear_0", "linear", input):gelu()
    return part(nn.linear(4), "linear_1", "linear", h)
  end
  local y
  if norm_first then
    y = x + attend(norm(0, x))
    y = y + wide(norm(1, y))
  else
    y = norm(0, x + attend(x))
    y = norm(1, y + wide(y))
  end
  assert_near(block:apply(p, x), y)
end

function TestLayers.test_a_block_is_what_its_page_says()
  check_block(true)
  check_block(false)
end

function TestLayers.test_a_block_has_4_d_features_inside_and_drops_while_training()
  local block, x = nn.transformer_block{heads = 1, dropout = 0.5}, random("x", 2, 3, 4)
  local p = block:init(key, x)
  lu.assertEquals(p["transformer_block/linear_0/w"]:shape(), {4, 16})
  bits.assert_same(block:apply(p, x), block:apply(p, x, {key = key}))
  bits.assert_differ(block:apply(p, x), block:apply(p, x, {key = key, train = true}))
end

-- ---- networks ----

TestNetworks = {}

-- Sequences in which each id follows from the one before: 1 2 3 4 5 1 ... from any start.
local IDS, T, N = 5, 6, 40
local function counting()
  local x, y = {}, {}
  for i = 1, N do
    x[i], y[i] = {}, {}
    for t = 1, T do
      x[i][t] = (i + t) % IDS + 1
      y[i][t] = (i + t + 1) % IDS
    end
  end
  return bnn.data.from_tensors{x = bnn.tensor(x, "i32"), y = bnn.tensor(y, "i32")}
end
local part = counting()

local function network()
  return nn.sequential{
    nn.embedding(IDS, 8), nn.positional_encoding(),
    nn.transformer_block{heads = 2, causal = true}, nn.layer_norm(), nn.linear(IDS),
  }
end

local function plain()
  local net = network()
  return bnn.objective{net = net, params = net:init(key, part), likelihood = "categorical"}
end

local function bayesian()
  local net = network()
  return bnn.elbo{net = net, posterior = bnn.posterior.meanfield(net:init(key, part)),
                  likelihood = "categorical", temperature = 0.01, data_size = N}
end

local function train(objective, steps, data)
  bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 0.02},
            data = data or part, steps = steps, batch_size = 20, key = key:fold "train",
            log = bnn.log.memory()}
end

function TestNetworks.test_the_loss_of_a_sequence_is_the_sum_over_its_positions()
  local objective = plain()
  assert(objective:check_data(part))
  local logits = objective.net:apply(objective.params, part.x)
  local each = bnn.cross_entropy(logits:reshape(N * T, IDS), part.y:reshape(N * T))
  lu.assertAlmostEquals(objective:evaluate(part, {key = key}).loss, each:sum():item() / N, 1e-4)
end

function TestNetworks.test_plain_and_bayesian_ones_learn()
  for _, make in ipairs{plain, bayesian} do
    local objective = make()
    train(objective, 150)
    local p = bnn.predict(objective, part, {
      key = key, num_samples = objective.posterior and 8 or nil,
    })
    lu.assertEquals(p.mean:shape(), {N, T, IDS})
    lu.assertEquals(p.class:shape(), {N, T})
    lu.assertEquals(p.mutual_information:shape(), {N})
    lu.assertNil(p.variation_ratio)
    local right = p.class:reshape(-1):eq(part.y:reshape(-1)):real():mean():item()
    lu.assertTrue(right > 0.95, tostring(right))
  end
end

function TestNetworks.test_entropies_of_a_sequence_are_sums_over_positions()
  local objective = bayesian()
  local p = bnn.predict(objective, part, {key = key, num_samples = 4})
  assert_near(p.entropy:real(), -bnn.xlogy(p.mean, p.mean):sum{2, 3}, 1e-4)
  local best = p.mean:max(-1)
  assert_near(p.probability, best)
end

function TestNetworks.test_steps_are_the_same_on_any_number_of_threads()
  local before, kept = bnn.threads(), {}
  for i, threads in ipairs{1, 2} do
    bnn.threads(threads)
    local objective = bayesian()
    train(objective, 5)
    kept[i] = objective.posterior.mu
  end
  bnn.threads(before)
  bits.assert_same(kept[1], kept[2])
end

-- Rows of so many elements go in blocks of a few: of 1, 2 and 3 rows for these batches.
function TestNetworks.test_blocks_of_wide_rows_do_not_show()
  local before = bnn.threads()
  local net = nn.sequential{
    nn.linear(64), nn.transformer_block{heads = 4, causal = true}, nn.linear(3),
  }
  for _, n in ipairs{3, 9, 17} do
    local x = random("x", n, 64, 5)
    local batch = {x = x, y = (x:narrow(3, 1, 1):reshape(n, 64):gt(0)):to "i32"}
    local kept, losses = {}, {}
    for i, threads in ipairs{1, 3} do
      bnn.threads(threads)
      local objective = bnn.objective{net = net, params = net:init(key, x),
                                      likelihood = "categorical"}
      local state = bnn.optim.adam{lr = 1e-3}:init(objective)
      losses[i] = assert(objective:step(state, batch, key))
      kept[i] = objective.params
    end
    bits.assert_same(kept[1], kept[2])
    lu.assertEquals(losses[1], losses[2])
    local logits = net:apply(net:init(key, x), x):reshape(n * 64, 3)
    local want = bnn.cross_entropy(logits, batch.y:reshape(n * 64)):sum():item() / n
    lu.assertAlmostEquals(losses[1], want, 1e-4 * want)
  end
  bnn.threads(before)
end

-- A padded classifier with a learned bias of its scores: its steps have the same bits on any number
-- of threads, and padding does not change what it gives.
local function padded_net(layer)
  return bnn.transform(function(ids)
    local n, t = ids:size(1), ids:size(2)
    local seen = ids:gt(1)
    local lengths = seen:sum(2)
    local bias = nn.parameter("bias", {2, T, T}, nn.zeros):view(1, 2, T, T)
    local h = nn.embedding(IDS + 1, 8)(ids)
    h = layer(h, {lengths = lengths, bias = t == T and bias or nil})
    local mean = (h * seen:view(n, t, 1)):sum(2) / lengths:view(n, 1)
    return nn.linear(2)(mean)
  end)
end

function TestNetworks.test_padded_batches_train_the_same_on_any_number_of_threads()
  local n, rows, labels = 300, {}, {}
  for i = 1, n do
    rows[i], labels[i] = {}, i % 2
    for t = 1, T do rows[i][t] = t <= 1 + i % T and (i * t) % IDS + 2 or 1 end
  end
  local batch = {x = bnn.tensor(rows, "i32"), y = bnn.tensor(labels, "i32")}
  local net = padded_net(nn.transformer_block{heads = 2})
  local before, kept = bnn.threads(), {}
  local params = net:init(key, batch.x)
  for i, threads in ipairs{1, 2} do
    bnn.threads(threads)
    local q = bnn.posterior.meanfield(params, {logvar = -5})
    local objective = bnn.elbo{net = net, posterior = q, likelihood = "categorical", beta = 0.01}
    local state = bnn.optim.adam{lr = 0.01}:init(objective)
    for step = 1, 3 do assert(objective:step(state, batch, key:fold(step))) end
    kept[i] = q.mu
  end
  bnn.threads(before)
  local parts = bnn.compile(function(w, ids) return net:apply(w, ids) end)
  parts(params, batch.x)
  lu.assertNil(parts:info()[1].mixer) -- blocks of rows
  bits.assert_same(kept[1], kept[2])
  lu.assertTrue((kept[1].bias - params.bias):abs():max():item() > 0)
end

function TestNetworks.test_a_sequence_of_one_position()
  local net = network()
  local one = bnn.data.from_tensors{x = part.x:narrow(2, 1, 1):contiguous(),
                                    y = part.y:narrow(2, 1, 1):contiguous()}
  local objective = bnn.objective{net = net, params = net:init(key, one),
                                  likelihood = "categorical"}
  assert(objective:check_data(one))
  train(objective, 2, one)
  local p = bnn.predict(objective, one, {key = key})
  lu.assertEquals(p.class:shape(), {N, 1})
end

function TestNetworks.test_a_wrong_label_is_named_with_its_example()
  local rows = part.y:totable()
  rows[3][4] = IDS
  local y = bnn.tensor(rows, "i32")
  local wrong = bnn.data.from_tensors{x = part.x, y = y}
  local objective = plain()
  local ok, fault = objective:check_data(wrong)
  lu.assertNil(ok)
  lu.assertStrContains(fault, "label 5 of example 3 is outside 0..4")
  local state = bnn.optim.adam{lr = 1e-3}:init(objective)
  local stepped, step_fault = objective:step(state, {x = part.x, y = y}, key)
  lu.assertNil(stepped)
  lu.assertStrContains(step_fault, "label 5 of example 3 is outside 0..4")
end

os.exit(lu.LuaUnit.run())
