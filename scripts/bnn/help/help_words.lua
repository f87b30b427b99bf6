--- Words that users know from elsewhere: what there is for them here, or that there is nothing.
--
-- A search says this before what it finds. A row is the words, small letters, and the answer, whose
-- `names` are public. A query has a row's words if they stand in it side by side.
local strings = require "bnn.base.strings"

local M = {}

--- The rows: {words, ..., answer = sentence, absent = names that are not public as it says}.
M.ROWS = {
  {"batch norm", "batch normalisation", "batch normalization", "batchnorm",
   answer = "`bnn.nn.batch_norm` is the layer; `bnn.update_statistics` computes its running"
     .. " statistics anew, `bnn.nn.state` keeps those of a layer of your own."},
  {"group norm", "rms norm", "rmsnorm",
   answer = "`bnn.nn.group_norm` and `bnn.nn.rms_norm` are the layers."},
  {"detach", "stop gradient", "no grad",
   answer = "`x:stop_gradient` is x, which gradients take for a constant."},
  {"instance norm", "weight norm", "spectral norm",
   answer = "There is no such layer. `bnn.nn.layer_norm`, `bnn.nn.batch_norm` and others of"
     .. " `bnn.nn` normalise, `bnn.transform` makes a layer of any function."},
  {"log loss", "log_loss", "cross entropy loss", answer = "`bnn.metrics.nll` is the log loss;"
     .. " weight= weighs the examples."},
  {"sample weight", "sample_weight", "sample weights", answer = "weight= of"
     .. " `bnn.data.from_tensors` weighs examples in every loss, weight= of a metric there."},
  {"winkler score", answer = "`bnn.metrics.interval_score` is it."},
  {"column transformer", "columntransformer", "standard scaler", "standardscaler", "imputer",
   "simpleimputer", "one hot encoder", "onehotencoder", "inverse transform", "feature engineering",
   answer = "`bnn.data.preprocess` imputes, standardises and encodes the columns of a table and"
     .. " takes predictions back; `bnn.data.standardise` scales parts without one."},
  {"layer norm", "layer normalisation", "layer normalization",
   answer = "`bnn.nn.layer_norm` is the layer, `x:layer_norm` the op."},
  {"mc dropout", "monte carlo dropout",
   answer = "A network with `bnn.nn.dropout` predicts with its units dropped: `bnn.predict`."},
  {"regularisation", "regularization", "regularise", "regularize",
   answer = "A posterior is held by its prior: `bnn.prior`, weighed by beta= or temperature= of"
     .. " `bnn.elbo`. Plain networks have weight_decay= of `bnn.optim.adamw`, `bnn.nn.dropout` and"
     .. " `bnn.early_stopping`."},
  {"weight decay", "l2", "ridge",
   answer = "`bnn.optim.adamw` decays weights apart from the gradient. The normal prior of a"
     .. " posterior is its decay (`bnn.prior`); weight_decay= of `bnn.elbo` is for other weights."},
  {"l1", "lasso", "sparsity", "sparse", answer = "Priors for sparse weights: `bnn.prior.laplace`,"
     .. " `bnn.prior.horseshoe` and others of `bnn.prior`."},
  {"gpu", "cuda", "rocm", "tpu", "metal",
   answer = "There is no GPU here: products run on the processor. See `bnn.threads` and"
     .. " help \"speed\"."},
  {"float16", "bfloat16", "half precision", "mixed precision", "fp16", "amp", "quantisation",
   "quantization", answer = "Ops work on the real type, 32 bits (64 in the double build); there is"
     .. " no narrower one. See help \"shapes\"."},
  {"data loader", "dataloader", "minibatch", "mini batch", "batches", "shuffle",
   answer = "`part:batches` draws batches, shuffled by a key; `bnn.train` does so by itself."
     .. " help \"data\" has files of your own."},
  {"data augmentation", "augmentation", "augment",
   answer = "There is no option for it; a loop of your own (help \"own\") may change a batch."
     .. " `bnn.shift` has rotations, noise and other changes of images."},
  {"early stopping", "patience", answer = "`bnn.early_stopping` reads the flags of an experiment,"
     .. " `bnn.train` takes stop=."},
  {"learning rate", "lr",
   answer = "lr= of an optimizer (`bnn.optim`) or of `bnn.train`: a number or a function of the"
     .. " step, such as those of `bnn.schedule`."},
  {"learning rate schedule", "scheduler", "lr schedule", "warm up", "annealing",
   answer = "`bnn.schedule` has them; any function of the step is one."},
  {"gradient clipping", "clip gradients", "clip grad", "clipnorm",
   answer = "Optimizers take clip_norm= and clip_value=: `bnn.optim`."},
  {"recurrent", "rnn", "lstm", "gru",
   answer = "`bnn.nn.lstm`, `bnn.nn.gru` and `bnn.nn.rnn` go through sequences [n, t, d];"
     .. " experiments/rnn.lua."},
  {"attention", "transformer", "self attention",
   answer = "`bnn.nn.multi_head_attention` is the layer, `bnn.nn.transformer_block` attention and"
     .. " an MLP with their residuals; experiments/transformer.lua."},
  {"padded sequences", "variable length", "packed sequence", "pack padded sequence", "ragged",
   "attention mask", "attn mask", "key padding mask", "ignore index",
   answer = "Recurrent layers and attention take lengths, `bnn.nn.multi_head_attention` a mask and"
     .. " `bnn.likelihood.categorical` an ignore_index."},
  {"residual", "skip connection", "resnet", "unet", "u net",
   answer = "`bnn.nn.residual` adds what a layer makes to its input; `bnn.transform` makes a"
     .. " network of any function. experiments/resnet.lua."},
  {"multi task", "multitask", "multiple inputs", "multiple outputs", "several inputs",
   "several targets", "multimodal",
   answer = "`bnn.data.from_tensors` takes x and y as tables of tensors by name, `bnn.nn.parallel`"
     .. " a layer for each and `bnn.elbo` a likelihood for each target: help \"networks\"."},
  {"convolution", "cnn", "convolutional", "deconvolution", "transposed convolution", "dilated",
   "depthwise", "grouped convolution", "separable convolution", "mobilenet",
   answer = "`bnn.nn.conv2d`, `bnn.nn.conv1d` and `bnn.nn.conv_transpose2d`, with groups= for"
     .. " grouped and depthwise ones; `bnn.nn.max_pool`, `bnn.nn.avg_pool` and"
     .. " `bnn.nn.global_pool`."},
  {"loss function", "criterion", "mse", "cross entropy loss", "mean squared error",
   answer = "`bnn.elbo` takes a likelihood (`bnn.likelihood`), `bnn.objective` any loss."},
  {"save model", "load model", "save weights", "pickle", "state dict", "checkpoint",
   answer = "`bnn.checkpoint` saves and loads, bnn.train{checkpoint=} while training. See"
     .. " help \"checkpoints\"."},
  {"onnx", "torchscript", "hdf5", "pytorch", "torch",
   answer = "Weights are kept as safetensors, which PyTorch and JAX read: `bnn.safetensors`,"
     .. " help \"checkpoints\". Others cannot be read."},
  {"numpy", "npy", "npz", "csv", "parquet", "pandas", "hugging face",
   answer = "`bnn.data` reads .npy, .npz, .csv, IDX and PNG; Parquet cannot be read."},
  {"hyperparameter", "hyper parameter", "grid search", "random search", "bayesian optimisation",
   "bayesian optimization", "tuning", "optuna",
   answer = "`bnn.sweep` runs trials of an experiment; help \"sweeps\" and help \"search\"."},
  {"tensorboard", "wandb", "weights and biases", "mlflow",
   answer = "`bnn.log.tensorboard` writes TensorBoard's files; `bnn.run` and help \"runs\" are the"
     .. " records."},
  {"confusion matrix", "confusion", answer = "`bnn.metrics.confusion_matrix` counts,"
     .. " `bnn.plot.heatmap` draws."},
  {"mcmc", "langevin", "stochastic gradient mcmc", "swag",
   answer = "`bnn.sampler` has samplers by stochastic gradients; `bnn.collect` keeps their draws,"
     .. " or a Gaussian of the weights that a training passes (`bnn.collect.swag`)."},
  {"hmc", "nuts", "hamiltonian",
   answer = "There is no Hamiltonian sampler over all data; `bnn.sampler` has those by stochastic"
     .. " gradients.", absent = {"bnn.sampler.hmc", "bnn.sampler.nuts"}},
  {"laplace approximation", "last layer",
   answer = "There is no Laplace approximation. only= of `bnn.posterior.meanfield` makes single"
     .. " layers Bayesian.", absent = {"bnn.laplace", "bnn.posterior.laplace"}},
  {"flipout", "local reparameterisation", "local reparameterization", "lrt", "reparameterisation",
   "reparameterization", "reparameterization trick", "gradient estimator",
   answer = "estimator= of `bnn.elbo`: \"reparameterization\", a draw of the weights for the batch;"
     .. " \"local_reparameterization\", draws of each example's activations; or \"flipout\"."},
  {"antithetic", "antithetic sampling", "antithetic variates", "variance reduction",
   answer = "antithetic= of `bnn.elbo` draws weights in pairs on opposite sides of the mean."},
  {"normalising flow", "normalizing flow", "flow",
   answer = "There are no flows; `bnn.posterior.define` makes a family of your own.",
   absent = {"bnn.posterior.flow", "bnn.posterior.radial_flow"}},
  {"low rank", "low rank covariance", "factor covariance", "full covariance", "correlated weights",
   answer = "`bnn.posterior.lowrank` is a Gaussian of low rank over all weights, trained by"
     .. " `bnn.elbo`; `bnn.collect.swag` makes one of the weights that a training passes."},
  {"bayes by backprop", "variational inference", "mean field", "meanfield",
   answer = "`bnn.posterior.meanfield`, trained by `bnn.elbo`. See help \"start\"."},
  {"multi gpu", "distributed", "mpi", "data parallel", "horovod",
   answer = "A training is of one process with threads (`bnn.threads`); many runs at once are a"
     .. " sweep, on machines and under Slurm: help \"sweeps\"."},
  {"seed", "random seed", "manual seed", "set seed", "reproducible", "reproducibility",
   answer = "There is no global seed: `bnn.key` makes a key, and the same key gives the same"
     .. " numbers. See help \"keys\"."},
  {"temperature scaling", "platt", answer = "`bnn.calibration.temperature` fits one."},
  {"named tensor", "einsum", "matmul", "dot product",
   answer = "Products are `x:mm` of matrices, `x:bmm` of stacks of them, and `bnn.einsum`."},
  {"transfer learning", "fine tune", "fine tuning", "finetune", "pretrained", "freeze",
   answer = "`bnn.checkpoint.load_into` copies weights of a checkpoint; only= of"
     .. " `bnn.posterior.meanfield` and `bnn.posterior.moped` start from them."},
  {"classification", "classifier", answer = "A network with an output for each class and the"
     .. " likelihood `bnn.likelihood.categorical`: help \"start\", experiments/mnist.lua."},
  {"regression", answer = "Likelihoods of numbers: `bnn.likelihood.gaussian` and others of"
     .. " `bnn.likelihood`; `bnn.metrics.rmse` and experiments/cubic.lua."},
  {"class imbalance", "class weights", "imbalanced", "weighted loss", answer =
     "`bnn.data.weigh_classes` gives the examples of a part weights that balance its classes."},
  {"activation function", "nonlinearity", "swish",
   answer = "Activations are `bnn.nn.relu`, `bnn.nn.gelu`, `bnn.nn.silu` and others of `bnn.nn`,"
     .. " or any function of a tensor."},
  {"number of parameters", "parameter count", "model size", "count parameters",
   answer = "`params:numel` counts them; a network's params print their names and shapes."},
  {"learning curve", "plot loss", "loss curve", "training curve",
   answer = "`bnn.log` keeps the metrics of a run; `bnn.plot.learning_curves` and `bnn.plot.lines`"
     .. " draw them, `bnn.show` in the terminal."},
  {"nan loss", "exploding", "diverge", "diverges",
   answer = "`bnn.train` ends at the first step whose loss is not a number, and says so: a smaller"
     .. " lr=, clip_norm= of the optimizer or a lower logvar= may help."},
  {"gan", "diffusion", "reinforcement learning",
   answer = "There is nothing ready for it; `bnn.objective` trains by any loss (help \"own\")."},
}

-- Whether the words stand in the query, each word whole or its plural.
local function has(query, words)
  return query:find("%f[%w]" .. words:gsub("%W", "%%%0") .. "s?%f[^%w]") ~= nil
end

--- What is said of a query's words, at most two sentences of different rows.
-- @param query string
-- @return list of strings
function M.answers(query)
  local text, answers = strings.lower(query):gsub("[%p%s]+", " "), {}
  for _, row in ipairs(M.ROWS) do
    for _, words in ipairs(row) do
      if #answers < 2 and answers[#answers] ~= row.answer and has(text, words) then
        answers[#answers + 1] = row.answer
      end
    end
  end
  for i, answer in ipairs(answers) do answers[i] = answer:gsub("`", "") end
  return answers
end

return M
