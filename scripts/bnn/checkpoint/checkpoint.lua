--- Checkpoints: what a training has come to, in a file that gives the same bits back.
--
--     bnn.checkpoint.save("mnist.safetensors", {posterior = q, optimizer = state, step = 1000,
--       key = key, extras = {standardisation = stats, temperature = 1.3}, config = cfg})
--     local state = assert(bnn.checkpoint.load "mnist.safetensors")
--     print(state.step, state.posterior, state.extras.temperature)
--
-- The file is data only, never code: safetensors, which bnn.safetensors and Python open too. Its
-- tensors are mu/PATH and logvar/PATH of a posterior, params/PATH, optimizer/moments/1, ..., and,
-- as U64, optimizer/steps, key and step; the tensors among the extras are extras/NAME/.... Its
-- metadata hold the rest as JSON: names in their order, options, extras, config, versions.
local configuration = require "bnn.base.configuration"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local core = require "bnn.core"
local describe = require "bnn.base.describe"
local expect = require "bnn.base.expect"
local likelihoods = require "bnn.model.likelihood"
local networks = require "bnn.nn.nn"
local number = require "bnn.base.number"
local optim = require "bnn.inference.optim"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local json_codec = require "bnn.base.json_codec"
local posteriors = require "bnn.inference.posterior"
local refusal = require "bnn.base.refusal"
local safetensors = require "bnn.base.safetensors"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local LAYOUT = 1
local FORMAT = "bnnlua checkpoint "

local state_spec = {
  posterior = "posterior", params = "params", optimizer = "state", key = "key",
  step = {type = "integer", min = 0}, extras = "table", config = "table", versions = "table",
  training = "table", model = "table",
}

-- ---- writing ----

-- Adds tensors of Params below a prefix, and gives their names in order.
local function put_params(tensors, prefix, params)
  for name, tensor in pairs(params) do tensors[prefix .. name] = tensor end
  return params:names()
end

local function put_u64(tensors, name, bits) tensors[name] = core.tensor(bits, "u64") end

-- What each part of a state puts into the tensors, and the plain value that it leaves for the
-- metadata; or nil, fault.
local put = {}

function put.posterior(tensors, q)
  return {
    kind = "meanfield", mu = put_params(tensors, "mu/", q.mu),
    logvar = put_params(tensors, "logvar/", q.logvar),
  }
end

function put.params(tensors, params)
  return {names = put_params(tensors, "params/", params)}
end

function put.optimizer(tensors, state)
  local record = state:state_dict()
  put_u64(tensors, "optimizer/steps", record.steps)
  for i, moment in ipairs(record.moments) do tensors["optimizer/moments/" .. i] = moment end
  return {name = record.name, options = record.options, size = record.size}
end

function put.extras(tensors, extras) return json_codec.encode(extras, "extras", tensors) end

for _, name in ipairs{"config", "training", "model"} do
  put[name] = function(_, tree) return json_codec.encode(tree, name) end
end

-- Without the number of threads, which changes no bit.
function put.versions()
  local list = {}
  for _, row in ipairs(core.versions()) do
    if row.name ~= "threads" then list[#list + 1] = row end
  end
  return list
end

-- The tensors and the metadata of a state; or nil, what cannot be written.
local function contents(state)
  local tensors, metadata = {}, {format = FORMAT .. LAYOUT}
  for _, name in ipairs(options.sorted_names(put)) do
    if state[name] ~= nil or name == "versions" then
      local tree, fault = put[name](tensors, state[name])
      if fault then return nil, fault end
      metadata[name] = core.json_encode(tree)
    end
  end
  if state.key then put_u64(tensors, "key", state.key:bits()) end
  if state.step then put_u64(tensors, "step", state.step) end
  return tensors, metadata
end

--- Whether a state can be written.
-- @param state table as for save
-- @return true; or nil, message: what is no data, or that this program can write no checkpoints
function M.check(state)
  state = options.check("bnn.checkpoint.check", state, state_spec)
  local ready, lack = core.json_encode(true)
  if not ready then return nil, lack end
  local tensors, fault = contents(state)
  if not tensors then return nil, fault end
  return true
end

--- Writes a checkpoint, whole or not at all: a temporary file in the same folder, synced, renamed.
--
-- Numbers survive to the bit, infinities and NaN too. What is no data (a function, an object)
-- raises and is named.
-- @param path string
-- @param state table with any of: posterior; params; optimizer, the state of one; key; step;
--   extras, a table of anything of one's own: booleans, numbers, strings, keys, tensors and tables
--   of these; config, the same without tensors; model, what `describe` gives; training, what
--   bnn.train compares when it goes on. versions are filled in.
-- @return true; or nil, message
function M.save(path, state)
  if type(path) ~= "string" then error("bnn.checkpoint.save: a path is wanted", 2) end
  state = options.check("bnn.checkpoint.save", state, state_spec)
  local ready, lack = core.json_encode(true)
  if not ready then return nil, path .. ": " .. lack end
  local tensors, metadata = contents(state)
  if not tensors then error("bnn.checkpoint.save: " .. metadata, 2) end
  return safetensors.save(path, tensors, {metadata = metadata})
end

-- ---- reading ----

-- A tensor in the program's real type; f32 becomes f64 in a build that computes in it.
local function read_real(file, name)
  local x, fault = file:tensor(name)
  if not x or x:dtype() == core.real then return x, fault end
  if x:dtype() == "f32" then return x:to(core.real) end
  return nil, strings.message("'%s' is of %s, this program computes in %s", name, x:dtype(),
    core.real)
end

-- The 64 bits of a scalar as an integer.
local function read_u64(file, name)
  local x, fault = file:tensor(name)
  if not x then return nil, fault end
  if x:dtype() ~= "u64" or x:dim() ~= 0 then
    return nil, strings.message("'%s' is %s %s, wanted a u64 scalar", name, x:dtype(),
      shapes.text(x))
  end
  return x:item()
end

-- A count, which has to be one that Lua can have.
local function read_count(file, name)
  local n, fault = read_u64(file, name)
  if n and n < 0 then return nil, strings.message("'%s' is %u, too much", name, n) end
  return n, fault
end

local function read_params(file, prefix, names)
  local entries, tensors = {}, {}
  if type(names) ~= "table" then
    return nil, strings.message("the names of %s are no list", prefix)
  end
  for i, name in ipairs(names) do
    if type(name) ~= "string" or tensors[name] then
      return nil, strings.message("name %d of %s is no text or comes twice", i, prefix)
    end
    local x, fault = read_real(file, prefix .. name)
    if not x then return nil, fault end
    entries[i], tensors[name] = {name = name, shape = x:shape()}, x
  end
  return parameters.pack(parameters.layout(entries), tensors)
end

-- f(...), or nil and the message that it raised.
local function attempt(f, ...)
  local ok, value = pcall(f, ...)
  if ok then return value end
  if type(value) ~= "string" then error(value, 0) end -- an interrupt
  return nil, (value:gsub("^[^\n]-%.lua:%d+: ", ""))
end

-- What each part of a state is made from: the tree of its metadata and the tensors; or nil, fault.
local get = {}

function get.posterior(file, tree)
  if tree.kind ~= "meanfield" then return nil, "is of a kind that is not known" end
  local mu, fault = read_params(file, "mu/", tree.mu)
  if not mu then return nil, fault end
  local logvar, message = read_params(file, "logvar/", tree.logvar)
  if not logvar then return nil, message end
  return attempt(posteriors.from_params, mu, logvar)
end

function get.params(file, tree) return read_params(file, "params/", tree.names) end

function get.optimizer(file, tree)
  local record = {name = tree.name, options = tree.options, size = tree.size, moments = {}}
  local fault, x
  record.steps, fault = read_count(file, "optimizer/steps")
  if fault then return nil, fault end
  while file:dtype("optimizer/moments/" .. #record.moments + 1) do
    x, fault = read_real(file, "optimizer/moments/" .. #record.moments + 1)
    if not x then return nil, fault end
    record.moments[#record.moments + 1] = x
  end
  return attempt(optim.from_state_dict, record)
end

function get.extras(file, tree)
  return json_codec.decode(tree, function(name) return file:tensor(name) end)
end

for _, name in ipairs{"config", "training", "model", "versions"} do
  get[name] = function(_, tree) return json_codec.decode(tree) end
end

-- Whether a file is a checkpoint that this program can read; or nil, why not.
local function check_format(file)
  local layout = (file.metadata.format or ""):match("^" .. FORMAT .. "(%d+)$")
  if not layout then
    return nil, "is a safetensors file, but no checkpoint; bnn.safetensors.open reads its tensors"
  elseif number.parse(layout) ~= LAYOUT then
    return nil, strings.message("is a checkpoint of layout %s, this program knows %d", layout,
      LAYOUT)
  end
  return true
end

-- What the metadata hold of a part, with its tensors; or nil, fault.
local function read_part(file, name, text)
  local tree, part, fault
  tree, fault = core.json_decode(text)
  if type(tree) == "table" then part, fault = get[name](file, tree) end
  if type(part) == "table" then return part end
  return nil, strings.message("%s: %s", name, fault or "is no table")
end

-- The state in an open file; or nil, fault.
local function read_state(file)
  local ok, fault = check_format(file)
  if not ok then return nil, fault end
  local state, bits = {}, nil
  for _, name in ipairs(options.sorted_names(get)) do
    local text = file.metadata[name]
    if text then state[name], fault = read_part(file, name, text) end
    if fault then return nil, fault end
  end
  if file:dtype "key" then bits, fault = read_u64(file, "key") end
  if fault then return nil, fault end
  state.key = bits and core.key_of_bits(bits)
  if file:dtype "step" then state.step, fault = read_count(file, "step") end
  if fault then return nil, fault end
  return state
end

-- A fault with the path in front, and only there.
local function with_path(path, fault)
  path = strings.shown(path) -- as faults have it
  local from, to = fault:find(path .. ": ", 1, true)
  if from then fault = fault:sub(1, from - 1) .. fault:sub(to + 1) end
  return path .. ": " .. fault
end

--- Reads a checkpoint: the table that was saved, with parameters in their order, an optimizer's
-- state that goes on, extras as they were.
--
-- An optimizer whose learning rate was a function of the step wants lr= from what goes on
-- (bnn.train), as a file holds no functions.
-- @param path string
-- @return table with what there is of posterior, params, optimizer, key, step, extras, config,
--   model, training, and versions; or nil, message
function M.load(path)
  if type(path) ~= "string" then error("bnn.checkpoint.load: a path is wanted", 2) end
  local file <close>, message = safetensors.open(path)
  if not file then return nil, message end
  local state, fault = read_state(file)
  if not state then return nil, with_path(path, fault) end
  return describe.as("checkpoint", state)
end

-- ---- amending ----

-- What an open checkpoint holds among its extras; or nil, fault.
local function read_extras(file)
  if not file.metadata.extras then return {} end
  return read_part(file, "extras", file.metadata.extras)
end

-- The tensors and the metadata of an open checkpoint without its extras; or nil, fault.
local function all_but_extras(file)
  local tensors, metadata = {}, {}
  for name, text in pairs(file.metadata) do metadata[name] = text end
  for _, name in ipairs(file:names()) do
    if not name:find "^extras/" then
      local x, fault = file:tensor(name)
      if not x then return nil, fault end
      tensors[name] = x
    end
  end
  return tensors, metadata
end

-- The extras that an open file is to have and what else it has; or nil, fault.
local function amended(file, more)
  local ok, fault = check_format(file)
  if not ok then return nil, fault end
  local extras, tensors, metadata
  extras, fault = read_extras(file)
  if not extras then return nil, fault end
  tensors, metadata = all_but_extras(file)
  if not tensors then return nil, metadata end
  for name, value in pairs(more) do extras[name] = value end
  return extras, tensors, metadata
end

-- Keeps the folder of a file, which is where a link leads; or nil, message.
local function lock_folder_of(path)
  local real, fault = core.real_path(path)
  if not real then return nil, fault end
  return core.lock_folder(real:match "^(.+)/" or "/")
end

--- Adds to the extras of a checkpoint, as of what was fitted after the training; all else in the
-- file stays as it is, to the bit. At any time the old file or the new one is there, whole.
--     bnn.checkpoint.amend("night/best.safetensors", {extras = {threshold = 0.3}})
-- While a training works in the folder it is refused; `extras` of bnn.train adds to its own.
-- @param path string
-- @param state table: extras=, as for save; a name that is there already gets the new value
-- @return true; or nil, message
function M.amend(path, state)
  local what = "bnn.checkpoint.amend"
  if type(path) ~= "string" then error(what .. ": a path is wanted", 2) end
  state = options.check(what, state, {extras = {type = "table", required = true}})
  local lock <close>, lack = lock_folder_of(path)
  if not lock then return nil, lack end
  local file <close>, message = safetensors.open(path)
  if not file then return nil, message end
  local extras, tensors, metadata = amended(file, state.extras)
  if not extras then return nil, with_path(path, tensors) end
  local tree, fault = put.extras(tensors, extras)
  if fault then error(strings.message("%s: %s", what, fault), 2) end
  metadata.extras = core.json_encode(tree)
  return safetensors.save(path, tensors, {metadata = metadata})
end

-- ---- other architectures ----

local TENSORS = "params, a posterior or a table of tensors by name"

-- Whether a value is Params, a table of tensors by name, or an open file of them.
local function has_tensors(value)
  if parameters.is(value) then return true end
  if type(value) == "userdata" then return (getmetatable(value) or {}).__pairs ~= nil end
  if type(value) ~= "table" or getmetatable(value) then return false end
  for _, tensor in pairs(value) do
    if not kinds.is_object(tensor, "tensor") then return false end
  end
  return true
end

-- Raises unless a value has tensors by name, or is a posterior.
local function check_tensors(what, value, may_be_posterior)
  if has_tensors(value) or may_be_posterior and options.accept(value, "posterior") then return end
  local wanted = may_be_posterior and TENSORS or "params or a table of tensors by name"
  fail.expected(what, wanted, value)
end

-- A table of the tensors of Params, of an open file, or of such a table.
local function by_name(source)
  local tensors = {}
  for name, tensor in pairs(source) do tensors[name] = tensor end
  return tensors
end

-- Lines on what differs; names are shown with the prefix.
local function shape_faults(target, source, prefix)
  local faults, wanted, got = {}, by_name(target), by_name(source)
  local function add(...) faults[#faults + 1] = strings.message("'%s%s' %s", prefix, ...) end
  for name, tensor in pairs(wanted) do
    local other = got[name]
    if other == nil then
      add(name, "is missing, wanted " .. shapes.text(tensor))
    elseif not shapes.equal(other, tensor) then
      add(name, ("is %s, wanted %s"):format(shapes.text(other), shapes.text(tensor)))
    end
  end
  for name, tensor in pairs(got) do
    if wanted[name] == nil then add(name, shapes.text(tensor) .. " is surplus") end
  end
  table.sort(faults, strings.before)
  return faults
end

--- What keeps parameters from being taken over, as lines: tensors that are missing, surplus, or of
-- another shape.
-- @param target Params or table of tensors by name: what is wanted
-- @param source the same: what there is
-- @return list of strings, empty when both have the same tensors
function M.compare(target, source)
  check_tensors("bnn.checkpoint.compare: target", target)
  check_tensors("bnn.checkpoint.compare: source", source)
  return shape_faults(target, source, "")
end

-- Copies the tensors that fit by name and shape.
local function copy_fitting(target, source)
  local others = by_name(source)
  for name, tensor in pairs(target) do
    local other, n = others[name], tensor:numel()
    if other and shapes.equal(other, tensor) then
      core.overwrite(tensor:view(n), other:real():contiguous():view(n))
    end
  end
end

--- Takes parameters over from a checkpoint, or from any tensors by name (bnn.safetensors.load), in
-- place; nothing changes when it is refused.
-- @param target Params, or a posterior: then source is one, or what its mean is to be
-- @param source Params, a posterior (of which Params take the mean), or a table of tensors by name
-- @param opts table: strict=true; false takes what fits by name and shape
-- @return list of what did not fit, empty when everything did; or nil, message when strict
function M.take(target, source, opts)
  opts = options.check("bnn.checkpoint.take", opts, {strict = {type = "boolean", default = true}})
  check_tensors("bnn.checkpoint.take: target", target, true)
  check_tensors("bnn.checkpoint.take: source", source, true)
  local to, from = options.accept(target, "posterior"), options.accept(source, "posterior")
  local pairs_of = {{to and to.mu or target, from and from.mu or source, ""}}
  if to and from then
    pairs_of[1][3], pairs_of[2] = "mu/", {to.logvar, from.logvar, "logvar/"}
  end
  local faults = {}
  for _, pair in ipairs(pairs_of) do
    local more = shape_faults(pair[1], pair[2], pair[3])
    table.move(more, 1, #more, #faults + 1, faults)
  end
  if opts.strict and #faults > 0 then return nil, table.concat(faults, "; ") end
  for _, pair in ipairs(pairs_of) do copy_fitting(pair[1], pair[2]) end
  return faults
end

-- ---- models ----

--- What a model is, as data: its network, where that is made of bnn.nn, its likelihood, and the
-- names of its classes.
-- @param model an objective, or a table {net=, likelihood=, classes=}
-- @return table {net=, likelihood=, classes=}, which `open` makes a model of
function M.describe(model)
  if type(model) ~= "table" or parameters.is(model) then
    local wanted = "an objective, or a table {net=, likelihood=}"
    fail.expected("bnn.checkpoint.describe: model", wanted, model)
  end
  local likelihood = model.likelihood
  if type(likelihood) == "string" then likelihood = likelihoods.resolve(likelihood) end
  return {
    net = model.net and networks.to_config(model.net) or nil,
    likelihood = likelihood and likelihoods.describe(likelihood) or nil,
    classes = model.classes,
  }
end

local BY_FUNCTION = "its network was made by a function, which a file does not hold"

--- Opens a checkpoint as a model that predicts at once.
--     local model = assert(bnn.checkpoint.open "runs/mnist/best.safetensors")
--     print(bnn.predict(model, images, {key = bnn.key(1)}).class)
-- @param path string: a file; or the folder of a training: its best, else its newest
-- @param opts table: net=, for a network that is made by a function; likelihood=, for one of one's
--   own
-- @return {net=, posterior= or params=, likelihood=, classes=, config=, extras=, step=}; or nil,
--   message. classes, where the training data had names for them, number those of data that are
--   read with like= this model
function M.open(path, opts)
  if type(path) ~= "string" then error("bnn.checkpoint.open: a path is wanted", 2) end
  opts = options.check("bnn.checkpoint.open", opts, {net = "any", likelihood = "any"})
  local paths, lack = checkpoint_folder.paths(path)
  if not paths then return nil, lack end
  path = paths[1]
  local state, message = M.load(path)
  if not state then return nil, message end
  if not (state.posterior or state.params) then return nil, path .. ": it holds no parameters" end
  local about = state.model or {}
  local net, fault = opts.net, BY_FUNCTION
  if not net and about.net then net, fault = networks.from_config(about.net) end
  if not net then return nil, strings.message("%s: %s: give net=", path, fault) end
  local likelihood = opts.likelihood and likelihoods.resolve(opts.likelihood)
  if not likelihood and about.likelihood then
    likelihood, fault = likelihoods.of_data(about.likelihood)
    if not likelihood then return nil, strings.message("%s: %s: give likelihood=", path, fault) end
  end
  local named = options.accept(about.classes, {type = "string", list = true})
  if about.classes ~= nil and not named then
    return nil, path .. ": its classes are no list of names"
  end
  return describe.as("model", {
    net = net, likelihood = likelihood, classes = named, posterior = state.posterior,
    params = state.params, config = state.config, extras = state.extras, step = state.step,
  })
end

-- ---- flags of an experiment ----

local FLAGS = {"checkpoint", "checkpoint_every", "resume", "resume_anyway"}

--- The flags of an experiment that writes checkpoints, to be put into its defaults:
--     defaults = bnn.checkpoint.flags{lr = {1e-3, "learning rate"}}
-- @param defaults table: the experiment's own
-- @return table: those, and checkpoint, checkpoint_every, resume and resume_anyway
function M.flags(defaults)
  expect.plain_table("bnn.checkpoint.flags", defaults, "a table of defaults")
  local function add(name, flag)
    flag.result = false
    defaults[name] = flag
  end
  add("checkpoint", {nil, "folder for checkpoints (default: none)", type = "string"})
  add("checkpoint_every", {1000, "steps between two checkpoints", type = "integer", min = 1})
  add("resume", {false, "resume from the last checkpoint, bit for bit as if never stopped"})
  add("resume_anyway", {false, "resume even if the configuration differs"})
  return defaults
end

--- The checkpoint option of bnn.train for these flags; nil when none are asked for.
-- @param cfg table: what an experiment's run gets
-- @param opts table: best=, mode=, keep=, extras=, on_resume=, as for bnn.train
function M.of(cfg, opts)
  if type(cfg) ~= "table" then
    fail.expected("bnn.checkpoint.of", "the configuration that an experiment's run gets", cfg)
  end
  opts = options.check("bnn.checkpoint.of", opts, {
    best = "string", mode = "string", keep = "integer", extras = "table|function",
    on_resume = "function",
  })
  if not cfg.checkpoint then
    local asked = (cfg.resume or cfg.resume_anyway) and "--resume"
    local fault = "--resume wants --checkpoint=DIR, where to go on from"
    refusal.assert_or_exit(not asked, fault)
    return nil
  end
  opts.path, opts.every = cfg.checkpoint, cfg.checkpoint_every
  opts.resume, opts.resume_anyway = cfg.resume, cfg.resume_anyway
  opts.config = configuration.resulting(cfg)
  for _, name in ipairs(FLAGS) do opts.config[name] = nil end -- where cfg is a plain table
  return opts
end

return M
