--- Configurations of experiments, and which of their values decide the result.
--
-- A value has a name, such as "lr"; dots in it are groups: "optimizer.lr" is cfg.optimizer.lr. Flat
-- tables hold values by full name.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"

local M = {}

-- ---- groups ----

-- Whether a name is that of a group of known names.
local function is_group(name, known)
  local start = name .. "."
  for other in pairs(known) do
    if type(other) == "string" and other:sub(1, #start) == start then return true end
  end
  return false
end

--- Returns the values of nested tables by full name. Tables that are not a group of a known name
-- are values.
-- @param values table: nested, or by full name, or both
-- @param known table: has the full names as keys
function M.flatten(values, known)
  local flat = {}
  local function add(prefix, t)
    for name, value in pairs(t) do
      local full = type(name) == "string" and prefix .. name or prefix == "" and name
      if full and type(value) == "table" and type(full) == "string" and is_group(full, known) then
        add(full .. ".", value)
      else
        flat[full or prefix .. tostring(name)] = value
      end
    end
  end
  add("", values)
  return flat
end

--- Returns values by full name as nested tables.
function M.nest(flat)
  local nested = {}
  for full, value in pairs(flat) do
    local at = nested
    for group in tostring(full):gmatch "([^.]+)%." do
      at[group] = at[group] or {}
      at = at[group]
    end
    at[type(full) == "string" and full:match "[^.]+$" or full] = value
  end
  return nested
end

-- ---- constants ----

local function copy_of(list) return table.move(list, 1, #list, 1, {}) end

-- A view of the values that `kept` holds, which refuses to be changed.
-- @param refuse function(name): raises
local function constant(kept, meta, refuse)
  local view = {}
  meta.__index, meta.is_plain = kept, true -- is_plain: its values can be kept like a table's
  meta.__newindex = function(_, name) refuse(name) end
  meta.__pairs = function() return function(_, name) return next(kept, name) end, view, nil end
  meta.__len = function() return #kept end
  return setmetatable(view, meta)
end

local function constant_list(list, full)
  return constant(copy_of(list), {is_list = true}, function()
    fail("%s: a configuration cannot be changed while it runs; {table.unpack(cfg.%s)} is a copy "
      .. "that can", full, full)
  end)
end

local function constant_group(values, prefix)
  return constant(values, {__name = "configuration"}, function(name)
    fail("%s%s: a configuration cannot be changed while it runs", prefix, tostring(name))
  end)
end

local function frozen(nested, known, prefix)
  local values = {}
  for name, value in pairs(nested) do
    local full = prefix .. tostring(name)
    if is_group(full, known) then
      value = frozen(value, known, full .. ".")
    elseif kinds.is_plain(value) then
      value = constant_list(value, full)
    end
    values[name] = value
  end
  return constant_group(values, prefix)
end

--- Makes the configuration that an experiment's run gets. Assigning to it, or to a list in it,
-- raises. It reads like a table: by name, pairs, ipairs, #, table.unpack, table.move, table.concat;
-- `next` and rawget alone see nothing. {table.unpack(cfg.hidden)} is a list of one's own.
-- @param flat table: values by full name
-- @param known table: has the full names as keys
function M.freeze(flat, known) return frozen(M.nest(flat), known, "") end

-- ---- functions that were written as text ----

local text_of = setmetatable({}, {__mode = "k"})

--- Stores the text that a function of a configuration was made from, such as "cosine:1e-3:0".
function M.set_text(f, text) text_of[f] = text end

--- Returns the text that a function was made from, or nil.
function M.text(f) return text_of[f] end

-- ---- which decide the result ----

-- The defaults of the experiment that a configuration was made for, and its old names of flags.
local defaults_of = setmetatable({}, {__mode = "k"})
local renamed_of = setmetatable({}, {__mode = "k"})

--- Stores the experiment that a configuration was completed for.
function M.remember(cfg, experiment)
  defaults_of[cfg], renamed_of[cfg] = experiment.defaults, experiment.renamed
end

--- Copies the values of a configuration that decide the result: all but flags with result=false.
-- @param cfg table: the argument of an experiment's run
-- @return table: a copy by full name without those flags; lists are copies, schedules their text
function M.resulting(cfg)
  local defaults, copy = defaults_of[cfg] or {}, {}
  for name, value in pairs(M.flatten(cfg, defaults)) do
    local flag = defaults[name]
    if not (type(flag) == "table" and flag.result == false) then
      copy[name] = M.text(value) or kinds.is_plain(value) and copy_of(value) or value
    end
  end
  renamed_of[copy] = renamed_of[cfg]
  return copy
end

--- Renames the flags of a configuration that an earlier version stored to their current names.
-- @param stored table: as a checkpoint holds it
-- @param cfg table: the configuration of the same experiment's run, or `resulting` of it
function M.with_new_names(stored, cfg)
  local renamed, copy = renamed_of[cfg] or {}, {}
  for name, value in pairs(stored) do
    local new = renamed[name]
    copy[new and stored[new] == nil and new or name] = value
  end
  return copy
end

return M
