--- The classes whose methods help shows, and where their objects come from.
local M = {}

local tensors = "x is a tensor: bnn.tensor, bnn.zeros, bnn.randn and every op give one."

--- Class -> a sentence: what makes an object of it.
M.origins = {
  tensor = tensors,
  x = tensors,
  key = "A key comes from bnn.key(seed), key:fold and key:split.",
  net = "A net comes from bnn.transform; any layer is one by itself.",
  layer = "A layer comes from bnn.nn.mlp, bnn.nn.linear and the other functions of bnn.nn.",
  params = "Params come from net:init, posterior:mean and posterior:sample.",
  samples = "Samples come from posterior:samples.",
  posterior = "A posterior comes from bnn.posterior.meanfield and its like, and from"
    .. " state:posterior.",
  prior = "A prior comes from bnn.prior.normal, bnn.prior.laplace and the others of bnn.prior.",
  objective = "An objective comes from bnn.elbo or bnn.objective.",
  optimizer = "An optimizer comes from bnn.optim.adam and its like, or from bnn.sampler.sgld.",
  state = "A state comes from bnn.train, or from optimizer:init for a loop of your own.",
  part = "A part comes from bnn.data.load (data.train, data.test) or bnn.data.from_tensors.",
  stream = "A stream comes from bnn.data.stream.",
  frame = "A frame is a table of columns, as bnn.data.table gives it.",
  compiled = "A compiled function comes from bnn.compile.",
  file = "A file comes from bnn.safetensors.open.",
  log = "A log comes from bnn.log.console, bnn.log.memory and the others of bnn.log.",
  run = "A run comes from bnn.run.open.",
  pruner = "A pruner comes from bnn.pruner.asha and the others of bnn.pruner.",
  recorder = "A recorder comes from bnn.run.current.",
  space = "A space comes from bnn.space{...} or bnn.space.parse.",
  sampler = "A sampler comes from bnn.search.random and the others of bnn.search.",
  result = "A result comes from bnn.sweep.",
  variances = "Variances come from bnn.gradient_variance.",
  preprocess = "A preprocess comes from bnn.data.preprocess; its fit makes another, fitted.",
  report = "A report comes from bnn.ood.evaluate or bnn.shift.evaluate.",
}

--- Classes whose objects the library keeps to itself.
M.internal = {
  checkpointer = true, moments = true, collector = true, download = true, cache = true,
  lock = true, ledger = true, database = true, program = true, scope = true, bar = true,
  stopper = true, reader = true, domain = true, job = true, queue = true, view = true,
  canvas = true, estimator = true, process = true, book = true, history = true, plan = true,
  pool = true, source = true, jobs = true, watch = true, link = true, commands = true,
}

return M
