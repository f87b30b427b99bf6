--- The options of bnn.ood.evaluate, read and checked: the sets with their names, the scores.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local logs = require "bnn.log.log"
local options = require "bnn.base.options"

local M = {}

local WHAT = "bnn.ood.evaluate"

local spec = {
  weight = false,
  predict = {type = "function", required = true}, id = {type = "table|tensor", required = true},
  ood = {type = "table", required = true}, scores = "table",
  key = {type = "key", required = true}, log = "any", step = {type = "integer", default = 0},
  percentile = {type = "number", min = 0, max = 1, default = 0.99},
  alpha = {type = "number", above = 0, default = 0.01}, figures = "string", title = "string",
  progress = "boolean",
  renamed = {inside = "id", outside = "ood"},
}

local function is_tensor(v) return kinds.is_object(v, "tensor") end

local function read_set(name, given)
  local x = given
  if type(given) == "table" then x = given.x end
  local is_named = not rawequal(x, given) and named_tensors.is_named(x)
  if is_named then
    named_tensors.check(("%s: %s: x"):format(WHAT, name), x)
  elseif not is_tensor(x) or x:dim() == 0 then
    fail("%s: %s: expected a part of a data set, {x= [n, ...]}, got %s", WHAT, name,
      x == given and kinds.shown(given) or "x = " .. kinds.shown(x))
  end
  if named_tensors.rows(x) == 0 then
    fail("%s: %s: expected at least 1 example, got 0", WHAT, name)
  end
  return {name = name, x = x}
end

local function read_id(given)
  if is_tensor(given) then fail("%s: id: expected {x=, y= labels}, got a tensor", WHAT) end
  local name = given.title or given.name or "id"
  if type(name) ~= "string" then fail.expected(WHAT .. ": id: title", "a string", name) end
  local set = read_set(name, given)
  local n = named_tensors.rows(set.x)
  if given.y == nil then fail("%s: %s: y: expected labels [%d], got nothing", WHAT, name, n) end
  if n < 2 then
    fail("%s: %s: expected at least 2 examples, as one half is fitted on, got 1", WHAT, name)
  end
  set.labels = inputs.labels(("%s: %s"):format(WHAT, name), given.y, n)
  return set
end

-- {{name =, x =}, ...} in its order, or {name = part} by name.
local function read_ood(given, id)
  local sets, taken = {}, {[id] = true}
  local function add(name, part)
    if type(name) ~= "string" then
      fail("%s: ood[%d]: name: expected a string, got %s", WHAT, #sets + 1, kinds.shown(name))
    end
    if taken[name] then fail("%s: two sets are called %q", WHAT, name) end
    taken[name] = true
    sets[#sets + 1] = read_set(name, part)
  end
  local is_part = kinds.is_object(given, "data")
  if is_part or is_tensor(given.x) and (given.y ~= nil or given.size) then
    fail("%s: ood: expected {name = part, ...}, got a part of a data set", WHAT)
  end
  local names = options.sorted_names(given)
  if #given > 0 and #names > 0 then
    fail("%s: ood: expected a list or {name = part, ...}, got a list with %q", WHAT, names[1])
  end
  for _, part in ipairs(given) do add(type(part) == "table" and part.name or nil, part) end
  for _, name in ipairs(names) do add(name, given[name]) end
  return sets
end

--- Scores, a list of names with name = function among them, as {{name =, score =}, ...}.
function M.scores(given)
  local list, taken = {}, {}
  local function add(name, score)
    if taken[name] then fail("%s: scores names %q twice", WHAT, name) end
    taken[name] = true
    list[#list + 1] = {name = name, score = score}
  end
  for i, name in ipairs(given) do
    if type(name) ~= "string" then
      fail.expected(("%s: scores[%d]"):format(WHAT, i), "a name, or name = function", name)
    end
    add(name, name)
  end
  for _, name in ipairs(options.sorted_names(given)) do
    if type(given[name]) ~= "function" then
      fail.expected(("%s: scores.%s"):format(WHAT, name), "a function of a prediction", given[name])
    end
    add(name, given[name])
  end
  if #list == 0 then fail("%s: scores: expected at least one, got none", WHAT) end
  return list
end

--- The options, checked: log a log or nil; id {name=, x=, labels=}; ood a list of {name=, x=};
-- scores as M.scores gives them, or nil.
function M.read(given)
  local opts = bootstrap.options(WHAT, given, spec)
  if opts.alpha >= 1 then fail("%s: alpha: expected less than 1, got %s", WHAT, opts.alpha) end
  opts.log = opts.log ~= nil and fail.within(WHAT, logs.resolve, opts.log) or nil
  opts.id = read_id(opts.id)
  opts.ood = read_ood(opts.ood, opts.id.name)
  opts.scores = opts.scores and M.scores(opts.scores)
  return opts
end

return M
