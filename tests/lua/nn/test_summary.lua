--- net:summary: layers, shapes, parameters and multiply-adds of known networks, and its text.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local nn, raises = bnn.nn, bits.raises

TestSummary = {}

-- LeNet-5 with padding and three dense layers: 61,706 parameters and 416,520 multiply-adds, as
-- published counts of it say.
function TestSummary.test_lenet()
  local net = nn.sequential{
    nn.conv2d(6, 5, {padding = 2}), nn.relu(), nn.max_pool(2),
    nn.conv2d(16, 5), nn.relu(), nn.max_pool(2),
    nn.flatten(), nn.linear(120), nn.relu(), nn.linear(84), nn.relu(), nn.linear(10),
  }
  local summary = net:summary(bnn.zeros(7, 1, 28, 28))
  lu.assertEquals(summary.parameters, 61706)
  lu.assertEquals(summary.multiply_adds, 416520)
  lu.assertEquals(summary.flops, 833040)
  lu.assertEquals(summary.state, 0)
  local parameters, multiply_adds = {}, {}
  for _, row in ipairs(summary.layers) do
    if row.parameters > 0 then
      parameters[#parameters + 1] = row.parameters
      multiply_adds[#multiply_adds + 1] = row.multiply_adds
    end
  end
  lu.assertEquals(#summary.layers, 12)
  lu.assertEquals(parameters, {156, 2416, 48120, 10164, 850})
  lu.assertEquals(multiply_adds, {117600, 240000, 48000, 10080, 840})
  lu.assertEquals(summary.layers[6].shape, {1, 16, 5, 5})
end

function TestSummary.test_its_text_is_a_table()
  local net = nn.sequential{nn.linear(3), nn.batch_norm(), nn.linear(2)}
  lu.assertEquals(tostring(net:summary(bnn.zeros(1, 4))), [[
sequential{linear(3), batch_norm(), linear(2)}
layer                    made by       output  parameters  multiply-adds
sequential/linear_0      linear(3)     [n, 3]          15             12
sequential/batch_norm_0  batch_norm()  [n, 3]           6
sequential/linear_1      linear(2)     [n, 2]           8              6
29 parameters, 6 numbers of state, 18 multiply-adds (36 flops) an example]])
end

-- t = 5 steps of 6: the gates' 6 x 16 and 4 x 16 a step; four linear layers of 4 x 4 a position and
-- for each of 25 pairs 4 of the scores and 4 of the values; filters of 2 x 3 for each of 3 x 4 x 4.
function TestSummary.test_sequences_and_transposed_convolutions_count_too()
  local net = nn.sequential{nn.lstm(4), nn.multi_head_attention(2)}
  local rows = net:summary(bnn.zeros(1, 5, 6)).layers
  lu.assertEquals({rows[1].multiply_adds, rows[2].multiply_adds},
    {5 * (6 * 16 + 4 * 16), 4 * 5 * 16 + 25 * 8})
  lu.assertEquals(nn.gru(4):summary(bnn.zeros(1, 5, 6)).multiply_adds, 5 * (6 * 12 + 4 * 12))
  lu.assertEquals(nn.conv_transpose2d(2, {1, 3}):summary(bnn.zeros(1, 3, 4, 4)).multiply_adds,
    3 * 16 * 2 * 3)
end

-- The kernels of a group see its channels alone: 8 of 3 for each of 4 x 4 places, not of 4 x 3.
function TestSummary.test_groups_have_fewer_weights_and_multiply_adds()
  local x = bnn.zeros(1, 4, 4, 4)
  local wide, grouped = nn.conv2d(8, {1, 3}, {padding = "same"}):summary(x),
    nn.conv2d(8, {1, 3}, {padding = "same", groups = 4}):summary(x)
  lu.assertEquals({wide.multiply_adds, wide.parameters}, {16 * 8 * 12, 8 * 12 + 8})
  lu.assertEquals({grouped.multiply_adds, grouped.parameters}, {16 * 8 * 3, 8 * 3 + 8})
  lu.assertEquals(nn.conv_transpose2d(8, {1, 3}, {groups = 4}):summary(x).multiply_adds,
    4 * 16 * 2 * 3)
end

-- Weights that are shared count once, products as often as they run; what no layer asks for too.
function TestSummary.test_functions_and_shared_layers()
  local shared = nn.linear(4)
  local net = bnn.transform(function(x)
    return shared(shared(x)) * nn.parameter("scale", {4}, nn.ones)
  end)
  local summary = net:summary(bnn.zeros(3, 4))
  lu.assertEquals(summary.parameters, 24)
  lu.assertEquals(summary.multiply_adds, 32)
  lu.assertEquals(summary.parameters, net:init(bnn.key(1), bnn.zeros(3, 4)):numel())
  lu.assertStrContains(tostring(summary), "test_summary.lua:")
  local inner = nn.residual(nn.mlp{8, 4}):summary(bnn.zeros(1, 4))
  lu.assertEquals({inner.parameters, inner.multiply_adds}, {76, 64})
end

function TestSummary.test_misuse_is_one_line()
  local net = nn.sequential{nn.linear(3)}
  raises("net:summary: x: expected a tensor [n, ...], tensors by name or a part of a data set",
    net.summary, net, 3)
end

os.exit(lu.LuaUnit.run())
