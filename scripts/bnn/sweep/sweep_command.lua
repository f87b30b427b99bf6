--- What the description of a sweep says for workers on other machines: the options that make its
-- plan again. Only those of a file's experiment whose space, sampler and pruner are texts can be.
local configuration = require "bnn.base.configuration"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local space_values = require "bnn.search.space_values"
local spaces = require "bnn.search.space"
local strings = require "bnn.base.strings"

local M = {}

-- The options that are kept as they were given, if they are plain.
local KEPT = {"trials", "seeds", "objective", "mode", "sampler", "pruner", "key", "delay",
              "retries", "timeout", "fail_fast", "keep_checkpoints"}

-- A value without objects and functions.
local function is_plain(v)
  if type(v) ~= "table" then return type(v) ~= "function" and type(v) ~= "userdata" end
  if getmetatable(v) then return false end
  for _, item in pairs(v) do
    if not is_plain(item) then return false end
  end
  return true
end

-- The values that all trials have: schedules as their texts; nil if one has none.
local function config_of(plan)
  local config = {}
  for name, v in pairs(plan.config) do
    if type(v) == "function" then v = configuration.text(v) end
    if v == nil or not space_values.is_plain(v) then return nil end
    config[name] = v
  end
  return config
end

-- Whether a space is what its text says: no constraints, no values of other kinds.
local function has_text(space)
  if space.constraints[1] then return false end
  local ok, again = fail.try(spaces.parse, tostring(space))
  return ok and again ~= nil and tostring(again) == tostring(space)
end

--- The options of a plan, for its description.
-- @return {experiment= an absolute path, space= text, config=, options=}; nil if they have no text
function M.of(plan)
  local config = config_of(plan)
  if not (plan.source.is_file and config and has_text(plan.space)) then return nil end
  local options = {}
  for _, name in ipairs(KEPT) do
    local v = plan.opts[name]
    if not is_plain(v) then return nil end
    options[name] = v
  end
  local script = plan.source.script
  return {experiment = core.real_path(script) or script, space = tostring(plan.space),
          config = config, options = options}
end

--- The options of bnn.sweep that a description says.
-- @return table; or nil, message
function M.options(description)
  local command = description.command
  if not command then
    return nil, strings.message("the sweep '%s' is one of functions: start its script itself on "
      .. "that machine, as programs at one sweep share its runs", description.name)
  end
  local space, fault = spaces.parse(command.space)
  if not space then return nil, fault end
  local opts = {experiment = command.experiment, space = space, config = command.config,
                name = description.name}
  for name, v in pairs(command.options) do opts[name] = v end
  return opts
end

return M
