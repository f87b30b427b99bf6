--- How noisy the gradients of an objective are, by estimator (Kingma et al. 2015, table 1).
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local objective_options = require "bnn.inference.objective_options"
local objectives = require "bnn.inference.objective"
local options = require "bnn.base.options"
local posteriors = require "bnn.posterior.posterior_class"
local progress = require "bnn.base.progress"
local refusal = require "bnn.base.refusal"
local spreads = require "bnn.inference.gradient_spread"
local table_text = require "bnn.base.table_text"

local M = {}

local WHAT = "bnn.gradient_variance"

local Variances = {__name = "bnn.variances"}
Variances.__index = Variances

-- ---- estimators ----

-- What a table of options is called: "num_samples=4".
local function label_of(changes)
  local parts = {}
  for _, name in ipairs(options.sorted_names(changes)) do
    local value = changes[name]
    if kinds.is_object(value, "posterior") then value = value.family end
    parts[#parts + 1] = name .. "=" .. kinds.show(value):gsub('"', "")
  end
  return #parts > 0 and table.concat(parts, ", ") or "as it is"
end

-- The objective with the options of one estimator, which shares the posterior, and its label.
local function variant(opts, i)
  local given, what = opts.estimators[i], ("%s: estimators[%d]"):format(WHAT, i)
  local changes = type(given) == "string" and {estimator = given} or given
  if not kinds.is_plain(changes) then
    fail.expected(what, "a name, or a table of options", given)
  end
  local all, label = objective_options.given(opts.objective), nil
  for name, value in pairs(changes) do
    if name == "label" then label = value else all[name] = value end
  end
  if label ~= nil and type(label) ~= "string" then
    fail.expected(what .. ": label", "a string", label)
  end
  all.data_size = all.data_size or opts.data.size
  local make = opts.objective.is_elbo and objectives.elbo or objectives.objective
  return fail.within(what, make, all),
    label or type(given) == "string" and given or label_of(changes)
end

local function variants(opts)
  local list, seen = {}, {}
  if #opts.estimators == 0 then opts.estimators = {{}} end
  for i in ipairs(opts.estimators) do
    local objective, label = variant(opts, i)
    if seen[label] then
      fail("%s: estimators: expected each once, got '%s' twice", WHAT, label)
    end
    seen[label] = true
    refusal.assert_or_exit(objective:check_data(opts.data))
    list[i] = {objective = objective, label = label,
               segments = spreads.segments(posteriors.of_model(WHAT, objective))}
  end
  return list
end

-- ---- rows ----

-- How many times smaller than the first estimator's a variance is; its error by propagation.
local function add_ratio(row, first, name)
  local own, of_first = row[name], first[name]
  if not own or own <= 0 or of_first <= 0 then return end
  row[name .. "_ratio"] = of_first / own
  local share = math.sqrt((row[name .. "_se"] / own) ^ 2 + (first[name .. "_se"] / of_first) ^ 2)
  row[name .. "_ratio_se"] = row == first and 0 or share * of_first / own
end

-- The row of segment i.
local function row_of(one, i, noise, batch, total)
  local segment = one.segments[i]
  local row = {estimator = one.label, buffer = segment.buffer, tensor = segment.tensor,
               elements = segment.elements, noise = noise.mean[i],
               noise_se = spreads.standard_error(noise, i)}
  if batch then
    row.batch, row.batch_se = batch.mean[i], spreads.standard_error(batch, i)
    row.total, row.total_se = row.noise + row.batch, spreads.standard_error(total, i)
  end
  return row
end

-- Rows by estimator as one list, in which those of a tensor stand together.
local function interleaved(by_estimator)
  local rows, firsts, of = {}, {}, {}
  for _, list in ipairs(by_estimator) do
    for _, row in ipairs(list) do
      local name = row.buffer .. " " .. row.tensor
      if not of[name] then
        of[name] = {}
        firsts[#firsts + 1] = of[name]
      end
      table.insert(of[name], row)
    end
  end
  for _, same in ipairs(firsts) do
    for _, row in ipairs(same) do
      add_ratio(row, same[1], "noise")
      add_ratio(row, same[1], "total")
      rows[#rows + 1] = row
    end
  end
  return rows
end

-- ---- measuring ----

-- Measures one estimator on the batches that all of them see.
local function measure(opts, one, e, bar)
  local batches = opts.data:batches{size = opts.batch_size, key = opts.key, epochs = math.huge}
  local key, batch, done = opts.key:fold("noise"):fold(e), nil, 0
  local function gradient_of(b, r)
    if r == 1 then batch = batches() end
    bar:update((e - 1) * opts.batches * opts.draws + done)
    done = done + 1
    return one.objective:gradient(batch, key:fold(b):fold(r)).flat
  end
  return spreads.measure(one.segments, gradient_of, opts.batches, opts.draws)
end

local function measure_all(opts)
  local list, by_estimator = variants(opts), {}
  local bar <close> = progress.start("gradient variance",
    {of = #list * opts.batches * opts.draws, unit = "gradients", progress = opts.progress})
  for e, one in ipairs(list) do
    local noise, batch, total = measure(opts, one, e, bar)
    by_estimator[e] = {}
    for i in ipairs(one.segments) do
      by_estimator[e][i] = row_of(one, i, noise, batch, total)
    end
  end
  local labels = {}
  for e, one in ipairs(list) do labels[e] = one.label end
  return setmetatable({
    rows = interleaved(by_estimator), estimators = labels, batches = opts.batches,
    draws = opts.draws, batch_size = opts.batch_size,
  }, Variances)
end

local spec = {
  objective = {type = "objective", required = true},
  estimators = {type = "string|table", list = true, default = {}},
  data = "any",
  batch_size = {type = "integer", min = 1, default = 128},
  batches = {type = "integer", min = 1, default = 50},
  draws = {type = "integer", min = 2, default = 4},
  key = {type = "key", required = true},
  progress = "boolean",
}

--- Measures the variance of an objective's gradients, as its posterior stands, for one or more ways
-- to estimate them: an element's, the mean over each tensor and over each buffer (Kingma et al.
-- 2015, table 1). The part of the weights' noise, at a fixed batch, is told apart from that of the
-- choice of the batch. Nothing of the objective changes.
--     local v = bnn.gradient_variance{
--       objective = objective, estimators = {{num_samples = 1}, {num_samples = 2}},
--       data = data.train, batch_size = 16, batches = 3, draws = 2, key = key,
--     }
--     print(v)
-- @param opts table:
--   objective  bnn.elbo{...} or bnn.objective{...}; required
--   estimators a list; default the objective as it is. Each is a table of options of the objective
--              that differ, and label= what to call it: {num_samples = 4}, {posterior = q}; a name
--              stands for {estimator = name}. Ratios are to the first
--   data       the training part of a data set; required
--   batch_size 128
--   batches    50, drawn as in a training; the same for all estimators. 1: the noise alone, on one
--              batch; else at least 3
--   draws      of the weights on each batch, 4; at least 2
--   key        required: batches as bnn.train{key=}; draw r on batch b for estimator e
--              key:fold("noise"):fold(e):fold(b):fold(r), as the key of a step
--   progress   false shows no progress on stderr
-- @return variances, which print as a table and are drawn by bnn.plot.gradient_variance:
--   rows       a list of {estimator=, buffer="mu", tensor= ("all": of the buffer), elements=,
--              noise=, noise_se=, batch=, batch_se=, total= (both), total_se=, noise_ratio= (the
--              first estimator's noise / this one's), noise_ratio_se=, total_ratio=,
--              total_ratio_se=}, in squared units of the gradient of objective:gradient: nats an
--              example for each unit of the buffer; _se is a standard error. Parts of the batch
--              are unbiased, so they may be below 0. A ratio is nil if a variance is not above 0
--   estimators the labels; batches, draws, batch_size: as given
-- Raises if two estimators have one label. Raises a refusal if the data do not fit the likelihood.
function M.gradient_variance(opts)
  opts = options.check(WHAT, opts, spec)
  expect_model.part(WHAT .. ": data", opts.data)
  if opts.batches == 2 then
    fail("%s: batches: expected 1, or at least 3 for a standard error, got 2", WHAT)
  end
  return require "bnn.signal".guard(measure_all, opts)
end

-- ---- variances ----

--- Finds one row.
--     local v = bnn.gradient_variance{objective = objective, data = data.train, batch_size = 16,
--                                     batches = 1, key = key}
--     print(v:find("as it is", "mu").noise)
-- @param estimator string: its label
-- @param buffer string: "mu"
-- @param tensor string: its path; default "all" of the buffer
-- @return a row, as bnn.gradient_variance describes it; nil if there is none
function Variances:find(estimator, buffer, tensor)
  for _, row in ipairs(self.rows) do
    if row.estimator == estimator and row.buffer == buffer and row.tensor == (tensor or "all") then
      return row
    end
  end
end

expect_model.check_methods(Variances, "variances", expect_model.has "estimators")

local function head(self)
  local batches = self.batches == 1 and "1 batch" or self.batches .. " batches"
  return number.format("variance of an element of the gradient: %s of %d, %d draws on each\n",
    batches, self.batch_size, self.draws)
end

-- Columns of the table; those of the batch, and ratios, where there are any.
local function columns_of(self)
  local columns = {"buffer", "tensor", "estimator"}
  local function pair(title, key)
    columns[#columns + 1] = {title, key = key, format = "%.3g"}
    columns[#columns + 1] = {"+-", key = key .. "_se", format = "%.1g"}
  end
  pair("noise", "noise")
  if self.batches > 1 then pair("batch", "batch") end
  if #self.estimators > 1 then pair("first / noise", "noise_ratio") end
  if #self.estimators > 1 and self.batches > 1 then pair("first / total", "total_ratio") end
  return columns
end

function Variances.__tostring(self)
  return head(self) .. table_text.render(self.rows, columns_of(self))
end

return M
