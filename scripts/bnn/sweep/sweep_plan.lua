--- What a sweep is to do, made of its options: which trials there are and what each gets.
--
-- Two plans with the same identity are the same sweep: their trials have the same configurations.
-- How many trials, seeds and workers there are is not part of it, so a sweep can be extended.
local common_flags = require "bnn.run.common_flags"
local configuration = require "bnn.base.configuration"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local pruners = require "bnn.search.pruners.pruner"
local search = require "bnn.search.search"
local spaces = require "bnn.search.space"
local strings = require "bnn.base.strings"
local sweep_command = require "bnn.sweep.sweep_command"
local trial_source = require "bnn.sweep.trial_source"
local space_values = require "bnn.search.space_values"

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
  ledger = "string",
  progress = {type = "boolean", default = true},
}

-- A list of texts from one or several.
local function texts_of(what, given, spec)
  spec.type, spec.list = "string", true
  local list, fault = options.accept(type(given) == "table" and given or {given}, spec)
  if fault then fail("%s: %s: expected %s, got %s", WHO, what, fault, kinds.show(given)) end
  if not list[1] then fail("%s: %s: expected a text or more, got an empty list", WHO, what) end
  return list
end

-- The objectives as a list of {name=, mode=}. That which the experiment names has its mode.
local function read_objectives(opts, source)
  local default = source.objective or {"test/accuracy", "max"}
  local names = texts_of("objective", opts.objective or default[1], {})
  local modes = texts_of("mode", opts.mode or {"max"}, {choices = {"max", "min"}})
  if modes[2] and #modes ~= #names then
    fail("%s: mode: expected one, or one for each of %d objectives, got %d", WHO, #names, #modes)
  end
  local objectives, seen = {}, {}
  for i, name in ipairs(names) do
    if seen[name] then fail("%s: objective: '%s' is named twice", WHO, name) end
    local own = not opts.mode and name == default[1] and default[2]
    objectives[i], seen[name] = {name = name, mode = own or modes[i] or modes[1]}, true
  end
  return objectives
end

-- The seeds of a trial's runs: a list of different integers.
local function read_seeds(opts, source, config)
  local seeds = opts.seeds
  if type(seeds) == "table" then
    local list, fault = options.accept(seeds, {type = "integer", list = true})
    local seen = {}
    for _, seed in ipairs(list or {}) do
      if seen[seed] then fail("%s: seeds: %d is there twice", WHO, seed) end
      seen[seed] = true
    end
    if fault or not list[1] then fail.expected(WHO .. ": seeds", "a list of integers", seeds) end
    source:check_name(WHO .. ": seeds", "seed")
    return list
  end
  local n, fault = options.accept(seeds, {type = "integer", min = 1})
  if fault then
    fail("%s: seeds: expected %s or a list of integers, got %s", WHO, fault == "an integer"
      and fault or "an integer of " .. fault, kinds.show(seeds))
  end
  if n > 1 then source:check_name(WHO .. ": seeds", "seed") end
  local first, list = config.seed or source:default "seed" or 1, {}
  for i = 1, n do list[i] = first + i - 1 end
  return list
end

-- Flags of an experiment by itself: a sweep sees to these.
local NOT_OF_A_TRIAL = {
  checkpoint = "the checkpoints of each run are in its record", resume = "runs go on by themselves",
  resume_run = "runs go on by themselves", record = "all runs are recorded",
  runs = "give it to the sweep", ledger = "give it to the sweep",
  run_name = "runs have the name of the sweep",
}

local function config_fault(source, name, value)
  local is_common = source.specs and common_flags.is_common(source.experiment, name)
  if is_common and NOT_OF_A_TRIAL[name] then return NOT_OF_A_TRIAL[name] end
  local accepted, fault = source:accept(name, value)
  if fault then return ("expected %s, got %s"):format(fault, kinds.show(value)) end
  return nil, accepted
end

-- The values that all trials have, checked as flags.
local function read_config(opts, source)
  local config = {}
  for _, name in ipairs(options.sorted_names(opts.config)) do
    source:check_name(WHO .. ": config", name)
    local fault, value = config_fault(source, name, opts.config[name])
    if fault then fail("%s: config: %s: %s", WHO, name, fault) end
    config[name] = value
  end
  return config
end

-- Values of a domain such that the experiment takes all if it takes these.
local function examples(domain)
  return domain:count() and domain:grid() or {domain:at(0), domain:at(1 - 2 ^ -53)}
end

-- What a value such as "1:40" was meant to be.
local function kind_hint(value)
  local is_bounds = type(value) == "string" and value:find "^[%d.eE+-]+:[%d.eE+:-]+$"
  return is_bounds and ("; between bounds: integer:%s, uniform:%s or log:%s"):format(value, value,
    value) or ""
end

-- Every value that a space can propose is one that the experiment takes.
local function check_parameter(source, name, domain)
  source:check_name(WHO .. ": space", name)
  for _, value in ipairs(examples(domain)) do
    local fault = config_fault(source, name, value)
    if fault then fail("%s: space: %s: %s%s", WHO, name, fault, kind_hint(value)) end
  end
end

local function check_space(space, source, config, seeds)
  for _, parameter in ipairs(space.parameters) do
    local name = parameter.name
    check_parameter(source, name, parameter.domain)
    if config[name] ~= nil then fail("%s: %s is in the space and in config", WHO, name) end
    if name == "seed" and seeds[2] then
      fail("%s: seeds: expected 1, as seed is in the space, got %d", WHO, #seeds)
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

-- A value of a configuration as text: a function by what it was made from, else as its kind.
local function value_text(v)
  if space_values.is_plain(v) then return space_values.text(v) end
  return type(v) == "function" and configuration.text(v) or kinds.shown(v)
end

local function config_text(config)
  local words = {}
  for i, name in ipairs(options.sorted_names(config)) do
    words[i] = name .. "=" .. value_text(config[name])
  end
  return table.concat(words, " ")
end

-- A space with its constraints, which are known by their code.
local function space_text(space)
  local words = {tostring(space)}
  for _, constraint in ipairs(space.constraints) do
    local ok, code = fail.try(string.dump, constraint, true)
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
    {"first seed", number.text(self.seeds[1])},
  }
  local function add(what, n) rows[#rows + 1] = {what, number.text(n)} end
  if opts.delay and self.sampler.learns then add("delay", opts.delay) end
  if self.sampler.name == "latin" then add("trials", self.trials) end
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

local function make_pruner(opts, source, objectives)
  local ok, pruner = fail.try(pruners.new, {
    opts.pruner or "none", mode = objectives[1].mode, name = opts.name or source.name,
  })
  if not ok then
    fail("%s: pruner: %s", WHO, (fail.without_place(pruner):gsub("^bnn%.pruner%.new: ", "")))
  end
  if objectives[2] and pruner.needs ~= "nothing" then
    fail("%s: pruner: expected one objective, got %d", WHO, #objectives)
  end
  return pruner
end

-- The name that is given, or one that follows from what the trials depend on.
local function name_of(self, given)
  local name = given or ("%s-%s"):format(self.source.name,
    digest(identity_text(self.identity)):sub(1, 6))
  if name == "" or name:find "[/%c]" or name:find "^[.-]" then
    fail("%s: name: expected one without slashes that begins with no '.' or '-', got %s", WHO,
      kinds.show(name))
  end
  return name
end

-- All that the configurations of trials can have.
local function all_names(self)
  local names = options.sorted_names(self.config)
  return table.move(self.names, 1, #self.names, #names + 1, names)
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
  check_space(self.space, source, self.config, self.seeds)
  self.names = names_of(self.space)
  source:make_experiment(all_names(self))
  self.workers = opts.workers > 0 and opts.workers or core.processors()
  self.sampler = make_sampler(opts, self.space, self.objectives)
  self.pruner = make_pruner(opts, source, self.objectives)
  self.trials = count_trials(opts, self.sampler)
  self.delay = delay_of(opts, self.sampler, self.workers)
  self.identity = identity_of(self, opts)
  self.name = name_of(self, opts.name)
  return self
end

--- The configuration of one run of a trial.
-- @param proposal table: what the sampler proposed
-- @param replicate integer: which of the seeds
function Plan:config_of(proposal, replicate)
  local config = {}
  for name, value in pairs(self.config) do config[name] = value end
  for name, value in pairs(proposal) do config[name] = value end
  if self.source:takes "seed" and proposal.seed == nil then
    config.seed = self.seeds[replicate]
  end
  local specs = self.source.specs or {}
  if specs.threads and config.threads == nil then config.threads = 1 end
  if specs.checkpoint_every and config.checkpoint_every == nil then
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
  local identity, script = {}, self.source.script
  for i, row in ipairs(self.identity) do identity[i] = {row[1], row[2]} end
  return {
    format = 1, name = self.name, identity = identity, code = self.source:hash(),
    script = script and (core.real_path(script) or script), objectives = self.objectives,
    parameters = self.names, seeds = self.seeds, trials = self.trials, delay = self.delay,
    command = sweep_command.of(self),
  }
end

--- Goes on with a sweep that has begun: what is not said anew is as it was.
-- @param description table, which has no differences
-- @return what is to be said, or nil
function Plan:continue(description)
  if self.opts.delay or not description.delay then return nil end
  self.delay = description.delay
  if self.sampler.learns and self.workers > self.delay + 1 then
    return ("%d of %d workers have nothing to do: the sweep began with delay=%d"):format(
      self.workers - self.delay - 1, self.workers, self.delay)
  end
end

local function add_difference(lines, what, before, now)
  local function shown(text) return text ~= "" and text or "none" end
  lines[#lines + 1] = strings.message("%s: was %s, is %s", what, shown(before or ""), shown(now))
end

-- Seeds may be more or fewer than they were, not others.
local function add_seeds(lines, before, now)
  for i = 1, math.min(#before, #now) do
    if before[i] ~= now[i] then
      return add_difference(lines, "seeds", table.concat(before, ", "), table.concat(now, ", "))
    end
  end
end

--- How a plan differs from a description: a list of lines, "space: was beta=1,0.1, is beta=1".
function Plan:differences(description)
  local lines, stored, own = {}, {}, self:description()
  for _, row in ipairs(description.identity or {}) do stored[row[1]] = row[2] end
  for _, row in ipairs(self.identity) do
    if stored[row[1]] ~= row[2] then add_difference(lines, row[1], stored[row[1]], row[2]) end
  end
  add_seeds(lines, description.seeds or {}, self.seeds)
  -- A file that has moved is the same one, and so is one that was edited where it is.
  if description.script ~= own.script and description.code ~= own.code then
    add_difference(lines, "script", description.script, own.script or "")
  end
  return lines
end

return M
