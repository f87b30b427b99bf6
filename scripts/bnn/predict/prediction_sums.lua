--- Running sums of a function's outputs over networks drawn from a posterior, in constant memory.
--
-- The function is recorded as a program, once for each shape of rows, and cached for its model; the
-- runtime draws networks and sums the outputs of the program for each row.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local lru_cache = require "bnn.base.lru_cache"
local named_tensors = require "bnn.params.named_tensors"
local progress = require "bnn.base.progress"
local posteriors = require "bnn.posterior.posterior_class"
local refusal = require "bnn.base.refusal"
local trace_model = require "bnn.autodiff.trace_model"

local M = {}

-- Rows that go through the networks at a time: a multiple of 16, so that with OpenBLAS's AVX-512
-- kernels no row falls into the rest of a tile, whose last digits may differ (with 250 rows they do
-- in narrow networks; its AVX2 kernels mind a row's place in any chunk).
-- Programs that are kept for a model.
local CHUNK, KEPT = 240, 16

-- With num_samples = "auto" the standard error is looked at whenever there are a multiple of so
-- many; a multiple of the networks that the runtime draws at once.
local LOOK = 16

-- model -> programs that have been recorded for it, by what they compute and the shapes.
local programs = setmetatable({}, {__mode = "k"})

-- What a recorded program depends on besides shapes.
local RECORDED = {"net", "likelihood", "loss"}

local function programs_of(model)
  local known, form = programs[model], posteriors.form_of(model)
  if known and known.form ~= form then known = nil end
  for _, field in ipairs(RECORDED) do
    if known and known[field] ~= model[field] then known = nil end
  end
  if not known then
    known = {made = lru_cache.new(KEPT), form = form}
    for _, field in ipairs(RECORDED) do known[field] = model[field] end
    programs[model] = known
  end
  return known.made
end

-- The outputs of a program of heads {value, extra or nil}; and each head as the runtime takes it,
-- with the shape of its value.
local function outputs_of(heads, are_classes)
  local outputs, list = {}, {}
  for i, head in ipairs(heads) do
    outputs[#outputs + 1] = head[1]
    list[i] = {output = #outputs - 1, classes = are_classes[i] or false, shape = head[1]:shape()}
    if head[2] then
      outputs[#outputs + 1] = head[2]
      list[i].extra = #outputs - 1
    end
  end
  return outputs, list
end

local function program_for(model, what, source, f, opts)
  local known = programs_of(model)
  local rows, chunk = named_tensors.rows(source.x), opts.chunk
  local n = chunk or math.min(rows, CHUNK)
  local name = what .. ":" .. trace_model.shape_key(source, n)
  local made = known:get(name)
  if made then return made end
  local heads
  local function outputs(params, batch, key)
    local list
    list, heads = outputs_of(f(params, batch, key), opts.classes or {})
    return list
  end
  local program, nodes = trace_model.model(model, source, n, outputs, {})
  if not program:info().has_rows and rows ~= n then
    name = what .. ":" .. trace_model.shape_key(source, rows) -- an op mixes rows: all at once
    program, nodes = trace_model.model(model, source, rows, outputs, {})
  end
  return known:put(name, {program = program, nodes = nodes, heads = heads})
end

-- Samples are added in pieces of a tenth of a second or more, so that progress can be shown; the
-- bits are those of one piece. Fewer samples than PIECE are one.
local PIECE, PIECE_SECONDS = 16, 0.1

local function add_in_pieces(add, samples, bar)
  local done, piece = 0, PIECE
  while done < samples do
    local n, before = math.min(piece, samples - done), core.ticks()
    add(n)
    done = done + n
    bar:update(done)
    if core.ticks() - before < PIECE_SECONDS then piece = 2 * piece end
  end
end

-- Whether the standard error of a head is above its tolerance; a NaN is not: no sample mends it.
local function is_over(sums, tolerances)
  for h, tolerance in ipairs(tolerances) do
    if sums:standard_error(h) > tolerance then return true end
  end
  return false
end

-- Adds samples until the standard error is small enough or not a number, or there are max_samples.
-- It is looked at for numbers of samples that do not depend on where an earlier call ended.
local function add_until_sure(sums, add, opts, bar)
  while true do
    local n = sums:samples()
    if n >= opts.max_samples then return end
    if n > 0 and n % LOOK == 0 and not is_over(sums, opts.tolerances) then return end
    add(math.min(LOOK - n % LOOK, opts.max_samples - n))
    bar:update(sums:samples())
  end
end

-- No samples yet, or a copy of those so far, which are to be of the same call.
local function start(made, source, call, opts)
  if not opts.sums then
    return core.prediction(made.program, named_tensors.rows(source.x), made.heads)
  end
  local ok, fault = opts.sums:check(table.unpack(call, 1, 5))
  if not ok then fail("bnn.predict: previous: %s", fault) end
  return opts.sums:clone()
end

-- Raises if networks should differ by the noise that they draw, and this one draws none.
local function check_noise(what, posterior, made)
  if made.program:uses({made.nodes.key})[1] then return end
  fail("%s: model.net: expected a network with dropout (bnn.nn.dropout), as the %s posterior "
    .. "predicts with it, got one that draws nothing", what, posterior.family)
end

--- Computes the running sums of f(params, batch, key) over sampled networks.
-- @param model table: posterior or params
-- @param what string: what the function computes, which identifies its cached program
-- @param source table: x, y, tensors or named ones, contiguous
-- @param f function(params, batch, key) -> list of heads {tensor [n, k], tensor [n, l] which gets a
--   mean only, or nil}
-- @param opts table: key=, num_samples= (a number, or "auto" with tolerances= by head,
--   max_samples=), first=1, chunk=, classes= (by head, whether it is of classes), progress=, sums=
--   (the samples so far), train= (whether dropout is on in f)
-- @return the runtime's prediction, and the shapes of the heads' tensors, of some number of rows
function M.run(model, what, source, f, opts)
  local name = what:gsub("%+$", "")
  local posterior = posteriors.of_model(name, model)
  local made = program_for(model, what, source, f, opts)
  if opts.train and posterior:keeps_dropout() then check_noise(name, posterior, made) end
  local spec = {feeds = made.nodes.feeds, key = made.nodes.key, first = opts.first}
  local tensors = named_tensors.sources(source)
  local call = table.pack(made.program, spec, posterior.core, opts.key, tensors)
  local sums = start(made, source, call, opts)
  local function add(samples)
    spec.samples = samples
    local ok, fault = sums:add(table.unpack(call, 1, 5))
    if not ok then refusal.assert_or_exit(nil, name .. ": " .. fault) end
  end
  local is_auto = opts.num_samples == "auto"
  local bar <close> = progress.start(name, {
    of = is_auto and opts.max_samples or opts.num_samples, at = is_auto and sums:samples() or 0,
    unit = "samples", progress = opts.progress,
  })
  if is_auto then add_until_sure(sums, add, opts, bar) end
  if not is_auto then add_in_pieces(add, opts.num_samples, bar) end
  local shapes = {}
  for h, head in ipairs(made.heads) do shapes[h] = head.shape end
  return sums, shapes
end

--- Computes a function's results for each example under one draw of the weights.
-- @param model, what, source, f as for run; f gives one head
-- @param opts table: key=
-- @return tensor [n, k]
function M.once(model, what, source, f, opts)
  return (M.run(model, what, source, f, {key = opts.key, num_samples = 1}):moments())
end

return M
