--- What a sweep is to do, made of its options: which trials there are and what each gets.
--
-- Two plans with the same identity are the same sweep: their trials have the same configurations.
-- How many trials, seeds and workers there are is not part of it, so a sweep can be extended.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local pruners = require "bnn.search.pruners.pruner"
local search = require "bnn.search.search"
local spaces = require "bnn.search.space"
local strings = require "bnn.base.strings"
local trial_source = require "bnn.sweep.trial_source"

local M = {}

local WHO = "bnn.sweep"
local CHECKPOINT_EVERY = 1000 -- steps, for a run whose process may die

local Plan = {}
Plan.__index = Plan

M.spec = {
  experiment = {type = "any", required = true},
  space = {type = "table|space", required = true},
  config = {type = "table", default = {}},
  trials = {type = "integer", min = 1},
  seeds = {type = "any", default = 1},
  objective = {type = "string|table"},
  mode = {type = "string|table"},
  sampler = {type = "string|table|function|sampler"},
  pruner = {type = "string|table|function|pruner"},
  key = {type = "integer|key", default = 1},
  name = "string",
  workers = {type = "integer", min = 0, default = 0},
  delay = {type = "integer", min = 0},
  retries = {type = "integer", min = 0, default = 2},
  timeout = {type = "number", above = 0},
  fail_fast = {type = "boolean", default = false},
  keep_checkpoints = {type = "boolean", default = false},
  runs = "string",
  progress = {type = "boolean", default = true},
}

local function list_of(v) return type(v) == "table" and v or {v} end

-- The objectives as a list of {name=, mode=}.
local function read_objectives(opts, source)
  local default = source.objective or {"test/accuracy", "max"}
  local names = list_of(opts.objective or default[1])
  local modes = list_of(opts.mode or opts.objective == nil and default[2] or "max")
  local objectives = {}
  for i, name in ipairs(names) do
    local mode, fault = options.accept(modes[i] or modes[1],
      {type = "string", choices = {"max", "min"}})
    if fault then fail.expected(WHO .. ": mode", fault, modes[i] or modes[1]) end
    if type(name) ~= "string" then fail.expected(WHO .. ": objective", "a metric's name", name) end
    objectives[i] = {name = name, mode = mode}
  end
  if not objectives[1] then fail.expected(WHO .. ": objective", "a metric's name", names) end
  return objectives
end

-- The seeds of a trial's runs: a list of integers.
local function read_seeds(opts, source, config)
  local seeds = opts.seeds
  if type(seeds) == "table" then
    local list, fault = options.accept(seeds, {type = "integer", list = true})
    if fault or not list[1] then fail.expected(WHO .. ": seeds", "a list of integers", seeds) end
    return list
  end
  local n, fault = options.accept(seeds, {type = "integer", min = 1})
  if fault then fail.expected(WHO .. ": seeds", fault .. " or a list of integers", seeds) end
  local first, list = config.seed or source:default "seed" or 1, {}
  for i = 1, n do list[i] = first + i - 1 end
  if n > 1 then source:check_name(WHO .. ": seeds", "seed") end
  return list
end

-- The values that all trials have, checked as flags.
local function read_config(opts, source)
  local config = {}
  for _, name in ipairs(options.sorted_names(opts.config)) do
    source:check_name(WHO .. ": config", name)
    local value, fault = source:accept(name, opts.config[name])
    if fault then
      fail("%s: config: %s: expected %s, got %s", WHO, name, fault, kinds.show(opts.config[name]))
    end
    config[name] = value
  end
  return config
end

-- Values of a domain such that the experiment takes all if it takes these.
local function examples(domain)
  return domain:count() and domain:grid() or {domain:at(0), domain:at(1 - 2 ^ -53)}
end

-- Every value that a space can propose is one that the experiment takes.
local function check_space(space, source, config)
  for _, parameter in ipairs(space.parameters) do
    local name = parameter.name
    source:check_name(WHO .. ": space", name)
    if config[name] ~= nil then fail("%s: %s is in the space and in config", WHO, name) end
    for _, value in ipairs(examples(parameter.domain)) do
      local _, fault = source:accept(name, value)
      if fault then
        fail("%s: space: %s: expected %s, got %s", WHO, name, fault, kinds.show(value))
      end
    end
  end
end

local function names_of(space)
  local names = {}
  for i, parameter in ipairs(space.parameters) do names[i] = parameter.name end
  return names
end

-- A text with a digest of 16 digits: two texts with the same digest are taken for the same.
local function digest(text) return tostring(core.key(0):fold(text)):match "%x+$" end

local function config_text(config)
  local words = {}
  for i, name in ipairs(options.sorted_names(config)) do
    words[i] = name .. "=" .. kinds.show(config[name])
  end
  return table.concat(words, " ")
end

-- A space with its constraints, which are known by their code.
local function space_text(space)
  local words = {tostring(space)}
  for _, constraint in ipairs(space.constraints) do
    local ok, code = pcall(string.dump, constraint, true)
    words[#words + 1] = "constraint " .. (ok and digest(code):sub(1, 8) or "in C")
  end
  return table.concat(words, " ")
end

-- What the trials depend on: a list of {what, text}.
local function identity_of(self, opts)
  local objectives = {}
  for i, o in ipairs(self.objectives) do objectives[i] = o.mode .. " " .. o.name end
  local rows = {
    {"experiment", self.source.name}, {"space", space_text(self.space)},
    {"config", config_text(self.config)}, {"objective", table.concat(objectives, ", ")},
    {"sampler", tostring(self.sampler)}, {"pruner", tostring(self.pruner)},
    {"key", kinds.is_object(opts.key, "key") and tostring(opts.key) or number.text(opts.key)},
    {"first seed", number.text(self.seeds[1])}, {"delay", number.text(self.delay)},
  }
  if self.sampler.name == "latin" then rows[#rows + 1] = {"trials", number.text(self.trials)} end
  return rows
end

local function identity_text(rows)
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = row[1] .. ": " .. row[2] end
  return table.concat(lines, "\n")
end

-- Trials of a sampler that learns see the results of those before, up to as many back as others may
-- run at the same time.
local function delay_of(opts, sampler, workers)
  if not sampler.learns then return 0 end
  return opts.delay or workers - 1
end

local function is_finite(space)
  for _, parameter in ipairs(space.parameters) do
    if not parameter.domain:count() then return false end
  end
  return true
end

local function make_sampler(opts, space, objectives)
  local modes = {}
  for i, o in ipairs(objectives) do modes[i] = o.mode end
  local word = opts.sampler or (is_finite(space) and not opts.trials and "grid" or "sobol")
  local sampler, fault = search.sampler(word, space, {
    key = type(opts.key) == "number" and core.key(opts.key) or opts.key, mode = modes,
    trials = opts.trials,
  })
  if not sampler then fail("%s: %s", WHO, fault) end
  return sampler
end

local function count_trials(opts, sampler)
  if sampler.count then return math.min(opts.trials or sampler.count, sampler.count) end
  if opts.trials then return opts.trials end
  fail("%s: trials: expected how many, as the sampler %s proposes any number", WHO,
    tostring(sampler))
end

--- Makes the plan of a sweep.
-- @param opts table: checked options, see M.spec
function M.new(opts)
  local source = trial_source.new(opts.experiment)
  local self = setmetatable({source = source, opts = opts}, Plan)
  self.config = read_config(opts, source)
  self.objectives = read_objectives(opts, source)
  self.seeds = read_seeds(opts, source, self.config)
  self.space = spaces.new(opts.space)
  check_space(self.space, source, self.config)
  self.names = names_of(self.space)
  source:make_experiment(table.move(options.sorted_names(self.config), 1, 1000, #self.names + 1,
    {table.unpack(self.names)}))
  self.workers = opts.workers > 0 and opts.workers or core.processors()
  self.sampler = make_sampler(opts, self.space, self.objectives)
  self.pruner = pruners.new{opts.pruner or "none", mode = self.objectives[1].mode,
                            name = opts.name or source.name}
  if self.objectives[2] and self.pruner.needs ~= "nothing" then
    fail("%s: pruner: expected one objective, got %d", WHO, #self.objectives)
  end
  self.trials = count_trials(opts, self.sampler)
  self.delay = delay_of(opts, self.sampler, self.workers)
  self.identity = identity_of(self, opts)
  self.name = opts.name or ("%s-%s"):format(source.name,
    digest(identity_text(self.identity)):sub(1, 6))
  if self.name == "" or self.name:find "[/%c]" then
    fail.expected(WHO .. ": name", "a name without slashes", self.name)
  end
  return self
end

--- The configuration of one run of a trial.
-- @param proposal table: what the sampler proposed
-- @param replicate integer: which of the seeds
function Plan:config_of(proposal, replicate)
  local config = {}
  for name, value in pairs(self.config) do config[name] = value end
  for name, value in pairs(proposal) do config[name] = value end
  if self.source:takes "seed" then config.seed = self.seeds[replicate] end
  local specs = self.source.specs or {}
  if specs.threads and config.threads == nil then config.threads = 1 end
  if specs.checkpoint_every and not config.checkpoint and not config.checkpoint_every then
    config.checkpoint_every = CHECKPOINT_EVERY
  end
  return config
end

--- The same value for all objectives, to be minimised: smaller is better.
function Plan:loss(values)
  return self.objectives[1].mode == "min" and values[1] or -values[1]
end

--- What is kept of a plan: a table for JSON.
function Plan:description()
  local identity = {}
  for i, row in ipairs(self.identity) do identity[i] = {row[1], row[2]} end
  return {
    format = 1, name = self.name, identity = identity, code = self.source:hash(),
    script = self.source.script, objectives = self.objectives, parameters = self.names,
    seeds = self.seeds, trials = self.trials,
  }
end

--- How a plan differs from a description: a list of lines, "space: was beta=1,0.1, is beta=1".
function Plan:differences(description)
  local lines, stored = {}, {}
  for _, row in ipairs(description.identity or {}) do stored[row[1]] = row[2] end
  for _, row in ipairs(self.identity) do
    if stored[row[1]] ~= row[2] then
      lines[#lines + 1] = strings.message("%s: was %s, is %s", row[1], stored[row[1]] or "none",
        row[2] ~= "" and row[2] or "none")
    end
  end
  return lines
end

return M
