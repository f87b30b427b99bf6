--- The networks that the benchmarks train: objectives over images [n, 28, 28]. They use nothing but
-- the public library, so that an older bnnlua runs them too.
local bnn = require "bnn"

local M = {}

--- The network of mnist.lua, 784-hidden-hidden-10, with a mean-field posterior.
function M.mlp(data, hidden)
  local net = bnn.nn.mlp{hidden, hidden, 10}
  local posterior = bnn.posterior.meanfield(net:init(bnn.key(1), data), {logvar = -7})
  return bnn.elbo{net = net, posterior = posterior, likelihood = "categorical", beta = 1e-3,
                  kl = "leading"}
end

--- The objective of experiments/vae.lua.
function M.vae(data)
  local encoder = bnn.transform(function(x)
    local h = bnn.nn.linear(400)(bnn.nn.flatten()(x)):relu()
    return bnn.nn.linear(20)(h), bnn.nn.linear(20)(h)
  end)
  local decoder = bnn.nn.mlp{400, 784}
  local params = bnn.params.merge{encoder = encoder:init(bnn.key(1), data),
                                 decoder = decoder:init(bnn.key(2), bnn.zeros(1, 20))}
  return bnn.objective{params = params, loss = function(p, batch, key)
    local mu, logvar = encoder:apply(p:sub "encoder", batch.x)
    local z = mu + (logvar / 2):exp() * bnn.randn_like(mu, key)
    local logits = decoder:apply(p:sub "decoder", z)
    local pixels = batch.x:reshape(logits:shape())
    local kl = bnn.gaussian_kl(mu, logvar):sum(2)
    return kl - bnn.bernoulli_log_prob(logits, pixels):sum(2)
  end}
end

--- The network of experiments/lenet.lua.
function M.lenet_net()
  local nn = bnn.nn
  return nn.sequential{
    nn.conv2d(6, 5, {padding = "same"}), nn.relu(), nn.max_pool(2),
    nn.conv2d(16, 5), nn.relu(), nn.max_pool(2),
    nn.flatten(), nn.linear(120), nn.relu(), nn.linear(84), nn.relu(), nn.linear(10),
  }
end

--- The objective of experiments/lenet.lua.
function M.lenet(data)
  local net = M.lenet_net()
  return bnn.objective{net = net, params = net:init(bnn.key(1), data), likelihood = "categorical"}
end

--- The network of experiments/resnet.lua, with batch norm.
function M.resnet_net()
  local nn = bnn.nn
  local function conv(channels) return nn.conv2d(channels, 3, {padding = 1, bias = false}) end
  local layers = {conv(8), nn.batch_norm(), nn.relu()}
  for stage = 1, 3 do
    local channels = 8 << (stage - 1)
    local grows = stage > 1
    if grows then layers[#layers + 1] = nn.max_pool(2) end
    layers[#layers + 1] = nn.residual(nn.sequential{
      conv(channels), nn.batch_norm(), nn.relu(), conv(channels), nn.batch_norm(),
    }, {shortcut = grows and nn.conv2d(channels, 1, {bias = false}) or nil})
    layers[#layers + 1] = nn.relu()
  end
  table.move({nn.global_pool(), nn.linear(10)}, 1, 2, #layers + 1, layers)
  return nn.sequential(layers)
end

--- 784-hidden-hidden-10 with batch norm.
function M.normalised_mlp_net(hidden)
  local nn = bnn.nn
  return nn.sequential{
    nn.flatten(), nn.linear(hidden), nn.batch_norm(), nn.relu(),
    nn.linear(hidden), nn.batch_norm(), nn.relu(), nn.linear(10),
  }
end

return M
