--- Objects as text: what their __tostring says, and of the library's more where that helps. An
-- error in a __tostring is shown, not raised.
local core = require "bnn.core"
local number = require "bnn.base.number"
local show_names = require "bnn.prompt.show_names"
local strings = require "bnn.base.strings"

local M = {}

local MOST_LINE = 100 -- characters of an object within another
local MOST_SUMMARY = 1000000 -- elements that are summed up

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

local function summary(x)
  local size = 1
  for _, n in ipairs(x:shape()) do size = size * n end
  if size <= 10 or size > MOST_SUMMARY then return "" end
  local real = x:real()
  local bad = size - real:eq(real):sum():item()
  if bad > 0 then return number.format("\n%d of %d are nan", bad, size) end
  return number.format("\nmin %.4g, mean %.4g, max %.4g, std %.4g", real:min():item(),
    real:mean():item(), real:max():item(), real:std():item())
end

local function tensor_text(x)
  return tostring(x) .. summary(x)
end

-- A table of results, a field on each line.
local function fields_text(v, meta)
  local names, wide = {}, 0
  for name, field in next, v do
    if type(name) == "string" and type(field) ~= "function" then
      names[#names + 1] = name
      wide = math.max(wide, #name)
    end
  end
  table.sort(names, strings.before)
  local lines = {(meta.__name:gsub("^bnn%.", ""))}
  for _, name in ipairs(names) do
    local text = M.line(v[name]) or type(v[name]) ~= "table" and number.text(v[name])
      or ("table of %d"):format(#v[name])
    lines[#lines + 1] = ("  %s%s  %s"):format(name, (" "):rep(wide - #name), core.shown(text))
  end
  return table.concat(lines, "\n")
end

local function posterior_text(q)
  return tostring(q) .. tostring(q.mu):gsub("^[^\n]*", "")
end

local function objective_text(o)
  local model = o.posterior or o.params
  local lines = {tostring(o)}
  if o.net then lines[#lines + 1] = "net        " .. tostring(o.net) end
  if o.posterior then
    lines[#lines + 1] = "posterior  " .. posterior_text(o.posterior)
  elseif model then
    lines[#lines + 1] = "params     " .. tostring(model)
  end
  return table.concat(lines, "\n")
end

local FORMS = {
  ["bnn.tensor"] = tensor_text,
  ["bnn.posterior"] = posterior_text,
  ["bnn.objective"] = objective_text,
}

-- Forms that fail leave the plain one: an object may be half made, or closed.
local function rich_text(v, meta)
  local name = rawget(meta, "__name")
  local form = type(name) == "string" and FORMS[name]
  local is_result = type(v) == "table" and rawget(meta, "is_plain") and rawget(meta, "__parts")
  if is_result and name then form = fields_text end
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

--- An object as the prompt shows it by itself; nil for plain values.
function M.text(v)
  local meta = meta_of(v)
  if not meta then return nil end
  return rich_text(v, meta) or own_text(v)
end

return M
