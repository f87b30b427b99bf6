--- Likelihoods p(y | network output): what an objective and predictions need to know of the data.
--
-- A likelihood is a table {name=, log_prob=function(output, y) -> [n], predict=function(output)}:
-- the log-likelihood of each example in nats, and what a prediction averages over networks (the
-- output itself without predict). `classes = true` says that predictions are probabilities of
-- classes, logits=function(output) -> [n, C] what they are the softmax of (for the energy), sigma=
-- or variance= (a number or a function(output)) what the noise is, u8_targets = true that u8
-- targets are images, read as y / 255, ignore_index= the label that counts nothing. One of your
-- own, over ops, works like those here:
--     bnn.elbo{net = net, posterior = q, data_size = 1000, likelihood = {
--       name = "mine", log_prob = function(output, y) return -(output - y):square():sum(2) end}}
-- Data with targets by name have a likelihood for each, of a network that returns outputs by name:
--     bnn.likelihood.resolve{class = "categorical", age = bnn.likelihood.gaussian{sigma = 1}}
local describe = require "bnn.base.describe"
local fail = require "bnn.base.fail"
local joint_likelihood = require "bnn.model.joint_likelihood"
local kinds = require "bnn.base.kinds"
local likelihood_rows = require "bnn.model.likelihood_rows"
local options = require "bnn.base.options"
local renamed = require "bnn.base.renamed"
local strings = require "bnn.base.strings"

local M = {docs = {}}

local rows = {} -- by name

-- What a likelihood may say of itself.
local FIELDS = {
  name = "string", log_prob = "function", predict = "function", logits = "function",
  variance = "number|function", classes = "boolean", sigma = {type = "number", above = 0},
  u8_targets = "boolean", ignore_index = "integer",
}

-- The likelihoods that are made here: their names and options say everything.
local made_here = setmetatable({}, {__mode = "k"})

local function maker(row)
  return function(opts)
    opts = options.check("bnn.likelihood." .. row.name, opts, row.options)
    local likelihood = row.make(opts)
    likelihood.name = row.name
    made_here[likelihood] = opts
    return describe.as("likelihood", likelihood)
  end
end

-- The likelihoods of several targets.
local joints = setmetatable({}, {__mode = "k"})

-- The likelihood of a table target -> likelihood.
local function joint(given)
  local targets = {}
  for _, target in ipairs(options.sorted_names(given)) do
    local ok, own = fail.try(M.resolve, given[target])
    if not ok then fail("%s (target %s)", fail.without_place(own), target) end
    targets[target] = own
  end
  local made = joint_likelihood.new(targets)
  joints[made] = true
  return describe.as("likelihood", made)
end

-- Whether a value is a table target -> likelihood, or is meant to be one: some of its values are
-- not, and it has no field of a likelihood.
local function is_by_target(given)
  if type(given) ~= "table" or getmetatable(given) then return false end
  local good, bad, has_field = 0, 0, false
  for target, own in pairs(given) do
    if type(target) ~= "string" then return false end
    local is_one = rows[own] or type(own) == "table"
    good, bad = good + (is_one and 1 or 0), bad + (is_one and 0 or 1)
    has_field = has_field or FIELDS[target] ~= nil or type(own) == "function"
  end
  return good + bad > 0 and (bad == 0 or not has_field)
end

for _, row in ipairs(likelihood_rows) do
  rows[row.name] = row
  M.docs[row.name], M[row.name] = row.doc, maker(row)
end

--- Gives the likelihood of a name, or the value itself.
--     print(bnn.likelihood.resolve "poisson")   -- likelihood: name = "poisson"
-- @param given string, table with log_prob, or a table of these by the names of targets
-- @return likelihood
-- Raises for anything else, and for a name whose options must be given.
function M.resolve(given)
  if type(given) == "table" and given.log_prob then
    local is_known = made_here[given] or joints[given]
    return is_known and given or options.check("likelihood", given, FIELDS) and given
  end
  if type(given) == "string" and rows[given] then return M[given]() end
  if is_by_target(given) then return joint(given) end
  local names = table.concat(options.sorted_names(rows), "', '")
  fail("likelihood: expected '%s', bnn.likelihood.gaussian{sigma=} or a table with log_prob, "
    .. "got %s", names, kinds.show(given))
end

--- Describes a likelihood as data, {name=, its options}, of which `of_data` makes it again; of one
-- of your own only the name is kept.
--     print(bnn.likelihood.describe(bnn.likelihood.gaussian{sigma = 2}).sigma)   -- 2
-- @param likelihood any: as bnn.likelihood.gaussian returns it, or one of your own
-- @return table
function M.describe(likelihood)
  if joints[likelihood] then
    local by_target = {}
    for target, own in pairs(likelihood.targets) do by_target[target] = M.describe(own) end
    return {by_target = by_target}
  end
  local opts = made_here[likelihood]
  local name = type(likelihood) == "table" and likelihood.name
  if not opts then return {own = true, name = type(name) == "string" and name or nil} end
  local data = {name = name}
  for option, value in pairs(opts) do data[option] = value end
  return data
end

-- The likelihood of several targets that data describe; or nil, message.
local function joint_of_data(by_target)
  local targets = {}
  for target, data in pairs(by_target) do
    local own, fault = M.of_data(data)
    if not own then return nil, strings.message("%s (target %s)", fault, tostring(target)) end
    targets[tostring(target)] = own
  end
  return joint(targets)
end

--- Makes the likelihood that data describe.
--     bnn.likelihood.of_data{name = "student_t", df = 4, scale = 0.5}
-- @param data as describe gives them, from anywhere
-- @return likelihood; or nil, message
function M.of_data(data)
  if type(data) ~= "table" then return nil, "its likelihood is described by a " .. type(data) end
  if type(data.by_target) == "table" then return joint_of_data(data.by_target) end
  if data.own or not rows[data.name] then
    local name = type(data.name) == "string" and ("'%s' "):format(data.name) or ""
    return nil, strings.message("its likelihood %sis not one of bnn.likelihood", name)
  end
  local given = {}
  for name, value in pairs(data) do
    if name ~= "name" then given[name] = value end
  end
  local ok, made = fail.try(M[data.name], given)
  if ok then return made end
  local fault = tostring(made):gsub("^.-bnn%.likelihood%.[%w_]+: ", "")
  return nil, strings.message("its likelihood %s is refused: %s", data.name, fault)
end

renamed.functions(M, "bnn.likelihood", {of = "resolve"})

return M
