--- Objects as text: what their __tostring says, and of the library's more where that helps. An
-- error in a __tostring is shown, not raised.
local core = require "bnn.core"
local forms = require "bnn.prompt.show_forms"
local show_names = require "bnn.prompt.show_names"
local strings = require "bnn.base.strings"

local M = {}

local MOST_LINE = 100 -- characters of an object within another

local function meta_of(v)
  local meta = debug.getmetatable(v)
  return type(meta) == "table" and type(v) ~= "string" and meta or nil
end

-- What tostring says; nil for a value without a form of its own.
local function own_text(v)
  local meta = meta_of(v)
  if not meta or rawget(meta, "__tostring") == nil then return nil end
  local ok, text = pcall(tostring, v)
  if ok then return core.shown(text, true) end
  return strings.message("%s (its __tostring failed: %s)", type(v), tostring(text))
end

--- An object in one line, for those inside a table; nil for plain values.
function M.line(v)
  if type(v) == "table" or type(v) == "userdata" then
    local text = own_text(v)
    return text and strings.cut(text:match "[^\n]*":gsub(":$", ""), MOST_LINE)
  end
end

-- ---- objects of the library, by the name of their class ----

-- Forms that fail leave the plain one: an object may be half made, or closed.
local function rich_text(v, meta)
  local name = rawget(meta, "__name")
  local form = type(name) == "string" and forms.FORMS[name]
  local is_result = type(v) == "table" and rawget(meta, "is_plain") and rawget(meta, "__parts")
  if is_result and name and not form then form = forms.fields_text end
  if not form then return nil end
  local ok, text = pcall(form, v, meta)
  return ok and core.shown(text, true) or nil
end

-- ---- tables of functions ----

-- The names of a table whose fields are functions for the most part; nil for others.
local function module_names(v)
  local names, functions = {}, 0
  for name, field in next, v do
    if type(name) ~= "string" then return nil end
    local is_function = type(field) == "function"
    functions = functions + (is_function and 1 or 0)
    names[#names + 1] = core.shown(name) .. (is_function and "()" or "")
  end
  table.sort(names, strings.before)
  return functions >= 3 and 2 * functions >= #names and names or nil
end

--- A table of functions as the list of their names; nil for others.
function M.module_text(v)
  local names = type(v) == "table" and module_names(v)
  return names and show_names.columns(names)
end

-- What looks like an experiment may be anything.
local function experiment_text(v)
  local ok, text = pcall(forms.experiment_text, v)
  return ok and text and core.shown(text, true) or nil
end

--- An object as the prompt shows it by itself; nil for plain values.
function M.text(v)
  local meta = meta_of(v)
  if not meta then return type(v) == "table" and experiment_text(v) or nil end
  return rich_text(v, meta) or own_text(v)
end

return M
