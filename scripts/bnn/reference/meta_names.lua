--- What definitions for editors know of names where a text does not say it: the types that the
-- library's words for parameters stand for, those of functions in C, and what classes are besides
-- their methods.
local M = {}

-- Types and the names that have them, of options and parameters.
local ROWS = {
  {"bnn.Key", "key"}, {"bnn.Net|bnn.Layer", "net"}, {"bnn.Posterior", "posterior"},
  {"bnn.Params", "params"}, {"bnn.Optimizer", "optimizer"},
  {"bnn.State", "state"}, {"bnn.Likelihood|table|string", "likelihood"},
  {"bnn.Prior|number|string|function|table", "prior"},
  {"bnn.Tensor|table", "x y mean std logits probabilities labels scores class energy"},
  {"bnn.Part", "train test"}, {"bnn.Part|table", "validation"},
  {"string", "name title path dir folder metric monitor xlabel ylabel zlabel label id type mode"
    .. " output legend about doc ca_file"},
  {"number", "n steps num_samples size step number trial first keep every max_samples chunk"
    .. " patience startup warmup interval columns threads"},
  {"number", "tolerance scale sigma fraction threshold percentile delta lower upper weight_decay"
    .. " clip_norm clip_value seconds width height loss penalty elbo log_likelihood quantile"
    .. " kl_divergence temperature"},
  {"bnn.Schedule", "lr beta noise"}, {"boolean", "progress header mmap train_mode"},
  {"file*", "out"}, {"table", "config extras bootstrap options counts"},
  {"bnn.Part|bnn.DataSet|table", "data"},
}

-- The same of parameters of functions in C.
local C_ROWS = {
  {"integer|integer[]", "axis axes"}, {"bnn.DType", "dtype"}, {"any[]", "tensors"},
  {"integer[]", "shape order"}, {"boolean", "keepdims"}, {"number", "from to value low high"},
  {"integer", "seed count i"}, {"bnn.Tensor|integer[]", "positions"},
  {"bnn.Tensor|number|table", "data"},
}

local function by_name(rows)
  local names = {}
  for _, row in ipairs(rows) do
    for name in row[2]:gmatch "%S+" do names[name] = row[1] end
  end
  return names
end

-- Names that stand for more than texts say.
local ALWAYS = {lr = true, likelihood = true, prior = true}

--- Whether the type of a name is that, whatever the text says.
function M.is_fixed(name) return ALWAYS[name] ~= nil end

local names, names_of_c = by_name(ROWS), by_name(C_ROWS)

--- The type that a name stands for, or nil.
-- @param name string
-- @param is_of_c boolean: whether it is a parameter of a function in C
-- @return string
function M.of(name, is_of_c) return is_of_c and names_of_c[name] or names[name] end

-- What functions in C return, where it is no tensor, and those whose text does not say it.
local RETURNS = {
  ["bnn.key"] = "bnn.Key", ["bnn.isa"] = "string", ["bnn.memory"] = "table",
  ["bnn.threads"] = "integer", ["bnn.versions"] = "table[]",
  ["key:fold"] = "bnn.Key", ["key:split"] = "bnn.Key ...", ["key:bits"] = "integer ...",
  ["tensor:shape"] = "integer[]", ["tensor:size"] = "integer", ["tensor:dim"] = "integer",
  ["tensor:dtype"] = "bnn.DType", ["tensor:numel"] = "integer", ["tensor:item"] = "number",
  ["tensor:totable"] = "any", ["bnn.safetensors.open"] = "bnn.File?",
  ["net:apply"] = "bnn.Tensor ...", ["layer:apply"] = "bnn.Tensor ...",
  ["params:sub"] = "bnn.Params", ["params:map"] = "bnn.Params",
  ["params:clone"] = "bnn.Params", ["samples:clone"] = "bnn.Samples",
  ["posterior:clone"] = "bnn.Posterior", ["state:clone"] = "bnn.State",
}

--- Annotations of functions that no text gives.
M.ANNOTATIONS = {
  ["bnn.assert_or_exit"] = {"---@generic T", "---@param value T?", "---@param message? any",
                            "---@param ... any", "---@return T", "---@return any ..."},
}

-- What every function of a module makes.
local MADE = {
  ["bnn.optim"] = "bnn.Optimizer", ["bnn.sampler"] = "bnn.Optimizer",
  ["bnn.prior"] = "bnn.Prior", ["bnn.likelihood"] = "bnn.Likelihood", ["bnn.nn"] = "bnn.Layer",
  ["bnn.search"] = "bnn.Sampler", ["bnn.log"] = "bnn.Log",
}

--- The type of what an entry gives, where its text says too little of it.
function M.known_result(entry) return RETURNS[entry.name] end

--- The type of what an entry without `@return` gives; "any" where it is not known.
-- @param entry table
-- @param is_call boolean: whether its text says how it is called
function M.returned(entry, is_call)
  local owner = entry.name:match "^(.*)%.[%w_]+$"
  if is_call and MADE[owner] then return MADE[owner] end
  local class = entry.name:match "^([%w_]+):"
  local is_of_c = not entry.module and not entry.value and is_call
  local is_tensor = is_of_c and (entry.types or owner == "bnn" or class == "tensor")
  return is_tensor and "bnn.Tensor" or "any"
end

local ARITHMETIC = {
  "---@operator add(bnn.Tensor|number): bnn.Tensor",
  "---@operator sub(bnn.Tensor|number): bnn.Tensor",
  "---@operator mul(bnn.Tensor|number): bnn.Tensor",
  "---@operator div(bnn.Tensor|number): bnn.Tensor",
  "---@operator pow(bnn.Tensor|number): bnn.Tensor",
  "---@operator unm: bnn.Tensor", "---@operator len: integer",
  "---@field [integer|table] any a part: x[1], x[{ {1, 2}, {} }]",
}

local CALLED = "---@overload fun(x: bnn.Tensor): bnn.Tensor"

--- What an object of a class is too.
M.ABOVE = {layer = "bnn.Net"}

--- Lines of a class besides its methods.
M.CLASS_LINES = {
  tensor = ARITHMETIC,
  layer = {CALLED},
  params = {"---@field flat bnn.Tensor all of them in one tensor",
            "---@field [string] any a tensor by its path"},
  posterior = {"---@field mu bnn.Params the mean", "---@field [string] any buffers by name"},
  objective = {"---@field posterior bnn.Posterior?", "---@field net bnn.Net|bnn.Layer|nil",
               "---@field [string] any"},
  part = {"---@field x bnn.Tensor", "---@field y bnn.Tensor labels or targets, if it has them",
          "---@field size integer rows",
          "---@field names string[]?", "---@field classes string[]?"},
  stream = {"---@field size integer? rows of an epoch",
            "---@field names string[]?", "---@field classes string[]?"},
  compiled = {"---@overload fun(...: any): any"},
  run = {"---@field [string] any"}, result = {"---@field [string] any"},
  report = {"---@field [string] any"}, recorder = {"---@field [string] any"},
  state = {"---@field [string] any"}, optimizer = {"---@field lr any the learning rate"},
  space = {"---@field [string] any"}, prior = {"---@field [string] any"},
  pruner = {"---@field [string] any"}, sampler = {"---@field [string] any"},
}

--- Classes and aliases that no method makes known.
M.OTHERS = {
  "---@alias bnn.DType \"u8\"|\"i32\"|\"i64\"|\"u64\"|\"f32\"|\"f64\"",
  "---A number, or a function of the step.",
  "---@alias bnn.Schedule number|fun(step: integer): number",
  "---A table with log_prob and predict.",
  "---@class bnn.Likelihood", "---@field [string] any",
  "---{net=, likelihood=, and posterior= or params=}; an objective is one too.",
  "---@class bnn.Model", "---@field net bnn.Net|bnn.Layer", "---@field likelihood any",
  "---@field posterior bnn.Posterior?", "---@field params bnn.Params?", "---@field [string] any",
  "---{about=, defaults=, run=function(cfg, log)}",
  "---@class bnn.Experiment", "---@field [string] any",
  "---@class bnn.Collector", "---A rule of abstention.", "---@class bnn.Rule",
  "---@field [string] any",
}

return M
