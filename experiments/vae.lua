--- A variational autoencoder that draws digits (Kingma & Welling 2014).
--
-- The encoder maps each image to a Gaussian over a few latent variables; the decoder maps a draw of
-- them to the brightness of every pixel. Both learn together by the ELBO of each image: the
-- log-likelihood of its reconstruction minus the KL of its latent Gaussian from N(0, I). Then a
-- draw from N(0, I) decodes to a new digit.
local bnn = require "bnn"

local experiment = {
  about = "trains a Bernoulli VAE on MNIST: ELBO, samples, reconstructions and the latent plane",
  common = {"seed", "dataset", "threads", "checkpoint", "stop", "monitor"},
  objective = {"test/elbo", "max"},
  defaults = {
    lr = {1e-3, "Adam's learning rate", type = "schedule", above = 0},
    batch_size = {128, "images per step", type = "integer", min = 1},
    steps = {5000, "optimizer steps", type = "integer", min = 0},
    hidden = {400, "units of the hidden layer, in encoder and decoder", type = "integer", min = 1,
              max = 100000},
    latent_size = {20, "latent dimensions; 2 draws the latent plane", type = "integer", min = 1,
                   max = 10000},
    log_interval = {1000, "steps between two log entries", type = "integer", min = 1,
                    result = false},
    figures = {"figures", "folder for images; none if empty", type = "string", result = false},
  },
}

-- Encoder: image -> mean and log-variance of the latents. Decoder: latents -> a logit a pixel.
local function networks(cfg, pixels)
  local encoder = bnn.transform(function(x)
    local h = bnn.nn.linear(cfg.hidden)(bnn.nn.flatten()(x)):relu()
    return bnn.nn.linear(cfg.latent_size)(h), bnn.nn.linear(cfg.latent_size)(h)
  end)
  return encoder, bnn.nn.mlp{cfg.hidden, pixels}
end

-- -ELBO of each image, with one draw of its latents.
local function loss_of(encoder, decoder)
  return function(params, batch, key)
    local mu, logvar = encoder:apply(params:sub "encoder", batch.x)
    local z = mu + (logvar / 2):exp() * bnn.randn_like(mu, key)
    local logits = decoder:apply(params:sub "decoder", z)
    local pixels = batch.x:reshape(logits:shape())
    local log_likelihood = bnn.bernoulli_log_prob(logits, pixels):sum(2)
    local kl = bnn.gaussian_kl(mu, logvar):sum(2)
    return kl - log_likelihood, {log_likelihood = log_likelihood, kl_divergence = kl}
  end
end

-- Pictures go into a folder, where one was asked for; a picture that fails is no reason to stop.
local function draw(cfg, name, images, columns)
  if cfg.figures == "" then return end
  local path = ("%s/vae_%s.png"):format(cfg.figures, name)
  local ok, fault = bnn.plot.images{x = images, columns = columns, path = path}
  io.stderr:write(ok and "wrote " .. path or "cannot draw " .. fault, "\n")
end

-- n x n points of the plane, at the quantiles of N(0, 1), row by row from the top left.
local function plane(n)
  local points = {}
  for i = 1, n do
    for j = 1, n do
      local across, down = (j - 0.5) / n, (n - i + 0.5) / n
      points[#points + 1] = {bnn.metrics.normal_quantile(across), bnn.metrics.normal_quantile(down)}
    end
  end
  return bnn.tensor(points)
end

function experiment.run(cfg, log)
  local data = bnn.data.load_or_exit{dataset = cfg.dataset, dir = cfg.data_dir, log = log}
  local key = bnn.key(cfg.seed)
  local height, width = data.train.x:size(2), data.train.x:size(3)
  local encoder, decoder = networks(cfg, height * width)
  local params = bnn.params.merge{
    encoder = encoder:init(key:fold("init"):fold("encoder"), data.train),
    decoder = decoder:init(key:fold("init"):fold("decoder"), bnn.zeros(1, cfg.latent_size)),
  }
  local objective = bnn.objective{params = params, loss = loss_of(encoder, decoder)}

  local function decode(z)
    local images = decoder:apply(params:sub "decoder", z):sigmoid()
    return images:reshape(z:size(1), height, width)
  end
  local latest
  local function evaluate(step)
    local figures = objective:evaluate(data.test, {key = key:fold "eval"})
    latest = -figures.loss
    draw(cfg, ("samples_%06d"):format(step),
      decode(bnn.randn(key:fold "samples", 16, cfg.latent_size)), 4)
    return {
      {"test/elbo", latest},
      {"test/log_likelihood", figures.log_likelihood},
      {"test/kl_divergence", figures.kl_divergence},
      {"test/mean_approximate_evidence", math.exp(latest / (height * width))},
    }
  end
  local state = bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, data = data.train,
    steps = cfg.steps, batch_size = cfg.batch_size, key = key:fold "train", log = log,
    log_every = cfg.log_interval, evaluate = evaluate,
    checkpoint = bnn.checkpoint.from_flags(cfg, {monitor = "test/elbo"}),
    stop = bnn.early_stopping.from_flags(cfg, {monitor = "test/elbo"}),
  }

  local some = data.test.x:narrow(1, 1, math.min(8, data.test.size)):real() / 255
  local rebuilt = decode((encoder:apply(params:sub "encoder", some)))
  draw(cfg, "reconstructions", bnn.concat({some, rebuilt}, 1), some:size(1))
  if cfg.latent_size == 2 then draw(cfg, "plane", decode(plane(20)), 20) end
  return {elbo = latest}, {
    params = params, encoder = encoder, decoder = decoder, objective = objective, data = data,
    state = state,
  }
end

return bnn.main(experiment)
