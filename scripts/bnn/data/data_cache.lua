--- Data sets that are loaded once in a process: what bnn.data.load gave is given again for the same
-- name and options. Children of a fork share it with their parent, without a copy each.
--
-- Off until it is enabled, as files may change while a script runs. A set whose options hold more
-- than plain values (a function, like=) is read each time. Those who get a set may change its
-- table and its parts, not the tensors.
local core = require "bnn.core"
local options = require "bnn.base.options"

local M = {}

local load -- see M.load_by
local is_enabled = false
local sets, loads = {}, {} -- by key; what had to be read, in order

core.on_fork(function() loads = {} end)

-- ---- keys ----

local add_value

-- Adds the entries of a table in the order of their names; false if one of them is not plain.
local function add_table(words, t, depth)
  if getmetatable(t) or depth > 8 then return false end
  words[#words + 1] = "{"
  for i, v in ipairs(t) do
    if not add_value(words, i, depth) or not add_value(words, v, depth) then return false end
  end
  local n = #t
  for _, name in ipairs(options.sorted_names(t)) do
    n = n + 1
    if not add_value(words, name, depth) or not add_value(words, t[name], depth) then
      return false
    end
  end
  for _ in pairs(t) do n = n - 1 end
  words[#words + 1] = "}"
  return n == 0 -- else it has names of other types
end

function add_value(words, v, depth)
  local kind = type(v)
  if kind == "table" then return add_table(words, v, depth + 1) end
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" and kind ~= "nil" then
    return false
  end
  words[#words + 1] = ("%q"):format(v)
  return true
end

-- A text that tells apart what is asked for; nil if that is not plain.
local function key_of(name, opts)
  local words = {}
  local is_plain = add_value(words, name, 0) and add_value(words, opts, 0)
  return is_plain and table.concat(words, " ") or nil
end

-- ---- sets ----

local function copy_of(t)
  local copy = setmetatable({}, getmetatable(t))
  for name, v in pairs(t) do copy[name] = v end
  return copy
end

-- A set whose tables its user may change without changing this one.
local function copy_of_set(set)
  local copy = copy_of(set)
  for _, name in ipairs{"train", "test"} do copy[name] = set[name] and copy_of(set[name]) end
  return copy
end

local function copy_of_plain(v)
  if type(v) ~= "table" then return v end
  local copy = {}
  for name, item in pairs(v) do copy[name] = copy_of_plain(item) end
  return copy
end

--- Keeps what is loaded from now on, or no longer, which forgets it.
-- @param enabled boolean (default true)
function M.enable(enabled)
  is_enabled = enabled ~= false
  sets, loads = {}, {}
end

--- Sets what loads a set that is not kept.
-- @param f function(name, opts) -> set; or nil, message, cause
function M.load_by(f) load = f end

--- Gives a set, which is loaded unless it is kept.
-- @return set; or nil, message, cause
function M.get(name, opts)
  local key = is_enabled and key_of(name, opts)
  if not key then return load(name, opts) end
  if not sets[key] then
    local set, fault, cause = load(name, opts)
    if not set then return nil, fault, cause end
    sets[key] = set
    loads[#loads + 1] = {name = name, options = copy_of_plain(opts)}
  end
  return copy_of_set(sets[key])
end

--- Loads a set for children that will ask for it; no run is told of it.
-- @param what {name=, options=}, as M.loads gives
-- @return set; or nil, message
function M.preload(what) return M.get(what.name, what.options) end

--- Lists what this process had to read while the cache was enabled; a child begins with none.
-- @return list of {name=, options=}, plain tables that may be sent to another process
function M.loads() return table.move(loads, 1, #loads, 1, {}) end

return M
