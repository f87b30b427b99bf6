--- What all samplers share: the object, its options, the check of what it proposes, redraws.
--
-- A method is {name=, learns=, options=, new = function(space, opts)}; `new` returns the proposing
-- function (number, history) -> configuration or nil, message, and how many proposals there are.
-- opts.key, opts.mode (a list) and opts.trials are there for every method. The history is a list as
-- trials.read returns it or, with raw_history, as it was given, sorted by number.
local core = require "bnn.core"
local draws = require "bnn.search.methods.draws"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local spaces = require "bnn.search.space"
local trials = require "bnn.search.trials"
local values = require "bnn.search.space_values"

local M = {}

local Sampler = {__name = "bnn.sampler"}
Sampler.__index = Sampler

local COMMON = {key = "key|integer", mode = "any", trials = {type = "integer", min = 1}}

-- The modes of the objectives, as a list.
local function read_mode(what, mode)
  local list = type(mode) == "table" and mode or {mode or "min"}
  if #list == 0 then fail("%s: mode: expected min or max, got an empty list", what) end
  for i, v in ipairs(list) do
    list[i] = expect.value(what .. ": mode", v, {type = "string", choices = {"max", "min"}})
  end
  return list
end

-- The spec of a method's options with those that all have.
local function spec_of(method)
  local spec = {}
  for name, kind in pairs(COMMON) do spec[name] = kind end
  for name, kind in pairs(method.options or {}) do spec[name] = kind end
  return spec
end

-- The options of the method itself that were given, for records.
local function own_options(method, given)
  local own = {}
  for name in pairs(method.options or {}) do own[name] = given[name] end
  return own
end

--- Makes a sampler of a method.
-- @param what string: the function, for messages
function M.new(what, method, space, given)
  space = spaces.new(space)
  local opts = options.check(what, given, spec_of(method))
  local own = own_options(method, given or {})
  opts.mode = read_mode(what, opts.mode)
  opts.key = opts.key or 0
  if type(opts.key) == "number" then opts.key = core.key(opts.key) end
  local self = {name = method.name, space = space, learns = method.learns, options = own,
                raw_history = method.raw_history, mode = opts.mode, key = opts.key}
  opts.what = what
  self.draw, self.count = method.new(space, opts)
  return setmetatable(self, Sampler)
end

--- Whether a value is a sampler.
function M.is(v) return getmetatable(v) == Sampler end

--- Proposes the configuration of a trial. It follows from the key, the number and, if the sampler
-- learns, the history: the same whenever and wherever it is asked for.
--     local sampler = bnn.search.random({lr = bnn.space.log(1e-4, 1e-2)}, {key = 1})
--     local cfg = sampler:propose(1)
--     local again = sampler:propose(1)      -- the same
-- @param number integer: the number of the trial, from 1
-- @param history list of trials {number=, config=, state="completed"|"pruned"|"failed"|"running",
--   value= or values=, reports={{step, value}, ...}}, in any order; read by samplers that learn
-- @return table: name -> value; or nil, message if the sampler has no more
function Sampler:propose(number, history)
  local what = "sampler:propose"
  number = expect.value(what .. ": number", number, {type = "integer", min = 1})
  if self.count and number > self.count then
    return nil, ("%s has %d configurations, there is no %d"):format(self.name, self.count, number)
  end
  local read = self.raw_history and trials.sorted or trials.read
  return self.draw(number, self.learns and read(what, self, number, history) or {})
end

--- Describes the sampler as plain data, for records: {name =, options = those given}.
--     local described = bnn.search.sobol({a = {1, 2}}, {scramble = false}):describe()
--     print(described.options.scramble) --> false
-- @return table {name=, options=}
function Sampler:describe() return {name = self.name, options = values.copy(self.options)} end

-- Writes the sampler as bnn.search.sampler reads it: "tpe:candidates=48".
function Sampler:__tostring()
  local text = self.name
  for _, name in ipairs(options.sorted_names(self.options)) do
    text = ("%s:%s=%s"):format(text, name, values.text(self.options[name]))
  end
  return text
end

local REDRAWS = 10000

--- Draws until the constraints of the space hold: always the same way for the same key.
-- @param what string: the function, for messages
-- @param draw function(key, attempt) -> configuration
function M.redraw(what, space, key, draw)
  for attempt = 0, REDRAWS - 1 do
    local cfg = draw(draws.redraw_key(key, attempt), attempt)
    if space:allows(cfg) then return cfg end
  end
  fail("%s: none of %d configurations satisfied the constraints of the space", what, REDRAWS)
end

--- A configuration drawn uniformly. Each parameter has its own key, so that others do not change
-- it.
-- @param key key of the trial
function M.random(what, space, key)
  return M.redraw(what, space, key, function(k)
    return space:at(function(name) return draws.uniform(k:fold(name)) end)
  end)
end

--- The place of the n-th point of a sequence whose configuration the constraints allow.
-- @param config function(i) -> configuration of place i, from 0
-- @return function(number) -> configuration
function M.sequence(what, space, config)
  local found, last = {}, -1 -- number -> place; the last place that was looked at
  return function(number)
    while not found[number] do
      local first = last + 1
      repeat
        last = last + 1
        if last - first >= REDRAWS then
          fail("%s: none of %d points in a row satisfied the constraints of the space", what,
            REDRAWS)
        end
      until #space.constraints == 0 or space:allows(config(last))
      found[#found + 1] = last
    end
    return config(found[number])
  end
end

--- Raises what a user's function got wrong, or returns the configuration.
function M.checked(what, space, number, cfg)
  local ok, fault = space:check(cfg)
  if not ok then fail("%s: trial %d: %s", what, number, fault) end
  return cfg
end

--- Raises unless there is one objective.
function M.one_objective(what, opts)
  if #opts.mode == 1 then return end
  fail("%s: expected one objective, got %d; random, sobol and tpe take several", what, #opts.mode)
end

return M
