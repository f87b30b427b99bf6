--- The block of a transformer.
local activations = require "bnn.nn.layers.activations"
local attention = require "bnn.nn.layers.attention"
local dropout = require "bnn.nn.layers.dropout"
local fail = require "bnn.base.fail"
local layer = require "bnn.nn.base.layer"
local layer_norm = require "bnn.nn.layers.layer_norm"
local linear = require "bnn.nn.layers.linear"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

-- x + f(norm(x)), or norm(x + f(x)) where the norm comes last.
local function connect(x, f, norm, drop, norm_first)
  local y = f(norm_first and norm(x) or x)
  if drop then y = drop(y) end
  return norm_first and x + y or norm(x + y)
end

--- Makes a block of a transformer (Vaswani et al. 2017), x [n, t, d] -> [n, t, d]: attention, then
-- at each position two linear layers with an activation between; x is added to what each gives.
-- The norm of layers comes first by default, which trains without a warm-up (Xiong et al. 2020); a
-- stack of such blocks ends with bnn.nn.layer_norm. PyTorch's TransformerEncoderLayer.
--     local block = bnn.nn.transformer_block{heads = 2, causal = true}
--     local x = bnn.ones(1, 5, 4)
--     block:apply(block:init(key, x), x)                -- [1, 5, 4]
-- Inside a network, block(x, {lengths =, mask =, bias =}) says what positions see, as for
-- bnn.nn.multi_head_attention.
--     local net = bnn.transform(function(v)             -- positions that begin with 0 are padding
--       return block(v, {lengths = v:select(3, 1):ne(0):sum(2)})
--     end)
--     net:apply(net:init(key, x), x) --> [1, 5, 4]
-- @param opts table: heads=, which divides d; hidden=4 d, features between the two linear layers;
--   activation="gelu", the name of an elementwise layer; dropout=0, of what each of the two parts
--   gives; causal=false, true where a position may only see itself and those before it;
--   norm_first=true
-- @return layer
-- Raises when it is called and d is not a multiple of heads, or lengths, mask or bias have other
-- shapes.
function M.transformer_block(opts)
  local what = "bnn.nn.transformer_block"
  opts = options.check(what, opts, {
    heads = layer.SIZE, hidden = layer.SIZE,
    activation = {type = "string", choices = activations.names, default = "gelu"},
    dropout = {type = "number", default = 0},
    causal = {type = "boolean", default = false},
    norm_first = {type = "boolean", default = true},
  })
  if not opts.heads then fail("%s: heads: expected a number of heads, got nothing", what) end
  local attend = attention.multi_head_attention(opts.heads, {causal = opts.causal})
  local first, second = layer_norm.layer_norm(), layer_norm.layer_norm()
  local drops = {dropout.dropout(opts.dropout), dropout.dropout(opts.dropout)}
  if opts.dropout == 0 then drops = {} end
  local activation, wide, narrow = activations.layers[opts.activation](), nil, nil
  local function position_wise(x)
    local d = x:size(-1)
    wide = wide or linear.linear(opts.hidden or 4 * d) -- once: a block called twice has one
    narrow = narrow or linear.linear(d)
    return narrow(activation(wide(x)))
  end
  local function forward(x, given)
    if x:dim() ~= 3 then fail("x: expected [n, positions, d], got %s", shapes.text(x)) end
    x = connect(x, function(h) return attend(h, given) end, first, drops[1], opts.norm_first)
    return connect(x, position_wise, second, drops[2], opts.norm_first)
  end
  return layer.new{
    kind = "transformer_block", args = {opts}, forward = forward, container = true,
    text = ("transformer_block(%d%s)"):format(opts.heads, layer.changed_text{
      {"hidden", opts.hidden, nil}, {"activation", opts.activation, "gelu"},
      {"dropout", opts.dropout, 0}, {"causal", opts.causal, false},
      {"norm_first", opts.norm_first, true},
    }),
  }
end

return M
