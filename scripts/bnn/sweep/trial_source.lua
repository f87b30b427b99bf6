--- What a sweep runs: an experiment, by its file or its table, or a function (cfg, log) -> metrics.
local experiments = require "bnn.run.experiment"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local flags = require "bnn.run.flags"
local function_text = require "bnn.sweep.function_text"
local nearest = require "bnn.base.nearest"
local number = require "bnn.base.number"
local options = require "bnn.base.options"

local M = {}

local Source = {}
Source.__index = Source

-- The name of a script: "mnist" of "experiments/mnist.lua".
local function name_of(path) return path:match "([^/]+)%.lua$" or path:match "[^/]+$" end

local function program()
  local script = arg and arg[-1] and arg[0]
  return type(script) == "string" and script ~= "-" and script or nil
end

local function of_experiment(experiment, path)
  local specs = flags.specs(experiment.defaults, experiment.renamed)
  specs.renamed = nil
  return setmetatable({
    name = path and name_of(path) or "sweep", script = path or program(), is_file = path ~= nil,
    code = experiment.run, specs = specs, experiment = experiment, objective = experiment.objective,
  }, Source)
end

local function of_function(f)
  local script = program()
  return setmetatable({name = script and name_of(script) or "sweep", script = script, code = f},
    Source)
end

--- Makes an experiment of a source that is a function, with flags of any type.
-- @param names list of the parameters that its configuration has
function Source:make_experiment(names)
  if self.experiment then return end
  local defaults = {seed = {1, "root of every random key", type = "integer"}}
  for _, name in ipairs(names) do defaults[name] = {nil, "of the sweep", type = "any"} end
  local f = self.code
  self.experiment = experiments.seal{about = "a function of a sweep", defaults = defaults,
                                     run = function(cfg, log) return f(cfg, log) end}
end

--- Makes a source of what a user gave as `experiment`; raises if it is none.
-- @param given string (a file or a module), experiment, or function
function M.new(given)
  if type(given) == "string" then
    local experiment = experiments.load_experiment(given)
    return of_experiment(experiment, given)
  end
  if type(given) == "function" then return of_function(given) end
  if type(given) == "table" and type(given.run) == "function" then
    return of_experiment(experiments.seal(given), given.path)
  end
  fail.expected("bnn.sweep: experiment", "the path of one, an experiment or a function (cfg, log)",
    given)
end

--- Whether it has a flag; a function takes any.
function Source:takes(name) return not self.specs or self.specs[name] ~= nil end

--- Raises if there is no such flag.
-- @param what string: where the name stands, such as "bnn.sweep: space"
function Source:check_name(what, name)
  if self:takes(name) then return end
  local near = nearest.find(name, options.sorted_names(self.specs))
  fail("%s: %s has no flag '%s'%s", what, self.name, name,
    near and (": did you mean '%s'?"):format(near) or "")
end

--- Reads a value from a word of the command line.
-- @return value; or nil, what is expected instead
function Source:read(name, word)
  if self.specs and self.specs[name] then return flags.read_value(word, self.specs[name]) end
  local value = number.parse(word)
  if value ~= nil then return value end
  if word == "true" or word == "false" then return word == "true" end
  return word
end

--- Checks a value of a flag as the experiment will.
-- @return value; or nil, what is expected instead
function Source:accept(name, value)
  if not (self.specs and self.specs[name]) then return value end
  return flags.accept(value, self.specs[name])
end

--- The default of a flag, or nil.
function Source:default(name)
  local spec = self.specs and self.specs[name]
  return spec and spec.default
end

--- A text that changes with the script, or with the function's code.
function Source:hash()
  local script = self.script and core.file_sha256(self.script)
  if script then return script end
  local ok, code = fail.try(string.dump, self.code, true)
  return ok and tostring(core.key(0):fold(code)) or nil
end

--- Whether another source is the same: a file by its path, a function by its code and the plain
-- values that it has captured.
function Source:is_same(other)
  if self.is_file or other.is_file then return self.script == other.script end
  return self.code == other.code or function_text.of(self.code) == function_text.of(other.code)
end

return M
