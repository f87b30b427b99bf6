--- What definitions for editors say of a function: its text, parameters and results.
local doc_types = require "bnn.reference.doc_types"
local help_text = require "bnn.help.help_text"
local meta_names = require "bnn.reference.meta_names"
local meta_options = require "bnn.reference.meta_options"

local M = {}

-- Results that are classes of their own: what they are called.
local RESULTS = {["bnn.predict"] = "bnn.Prediction", ["bnn.data.load"] = "bnn.DataSet"}

-- Words that no parameter can be called.
local KEYWORDS = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat "
  .. "return then true until while"):gmatch "%a+" do
  KEYWORDS[word] = true
end

-- ---- calls ----

-- Whether an entry is of a function in C.
local function is_of_c(entry) return not entry.module and not entry.value end

-- The parameters of a call's text, "(n, m, ... [, dtype])": a list of {name=, is_optional=}.
local function params_in(call)
  local inside = call:match "[({](.*)[)}]$" or ""
  if call:find "^[%w_.:]+{" then return {{name = "opts"}} end
  local list, is_open = {}, false
  inside = inside:gsub("^{.-}", "shape")
  for piece in inside:gmatch "[^,]+" do
    local before, name = piece:match "^(.-)([%a_][%w_]*)"
    if not name and piece:find("...", 1, true) then before, name = piece, "..." end
    is_open = is_open or (before or ""):find "%[" ~= nil
    if name then
      list[#list + 1] = {name = KEYWORDS[name] and name .. "_" or name,
                         is_optional = is_open or piece:find "=" ~= nil}
    end
    is_open = is_open or piece:find "%[" ~= nil
  end
  return list
end

-- n, m, ... are any number of integers, a, b, ... too.
local function with_varargs(params)
  for i, param in ipairs(params) do
    if param.name == "..." then
      local kept = table.move(params, 1, i - 1, 1, {})
      while kept[#kept] and #kept[#kept].name == 1 and kept[#kept].name ~= "x" do
        kept[#kept] = nil
      end
      local has_type = params[#params].name == "dtype" and "|bnn.DType" or ""
      local is_list = params[i - 1] ~= nil and #params[i - 1].name == 1
      kept[#kept + 1] = {name = "...", type = is_list and "integer" .. has_type or "any"}
      return kept
    end
  end
  return params
end

-- The parameters of the first call, which take what the others' in their place do: key:fold(number)
-- and key:fold(name).
local function params_of(calls, of_c)
  local params = with_varargs(params_in(calls[1] or "()"))
  for k = 2, #calls do
    for i, other in ipairs(params_in(calls[k])) do
      local param = params[i]
      if param and param.name ~= other.name then
        local mine = param.type or meta_names.of(param.name, of_c) or "any"
        param.type = mine .. "|" .. (meta_names.of(other.name, of_c) or "any")
      end
    end
  end
  return params
end

-- The class of the options that a parameter takes, or also a list, if its text says something
-- before the first of them: "the sizes of the layers; activation=".
local function option_class(types, name, item)
  local own = meta_options.add(types, name:gsub(":", ".") .. "." .. item.name, item.options,
    "Options of " .. name .. ".")
  local before = item.text:match "^table:?%s*(.*)$" or ""
  local has_list = before ~= "" and not before:find "^[%w_]+=" and not before:find "^with "
  return has_list and own .. "|any[]" or own
end

-- What the text of a parameter says: its type, whether it may be left out, and its text.
local function typed(param, fields, entry, types)
  local name, is_op = entry.name, entry.types ~= nil
  for _, item in ipairs(fields.params) do
    if item.name == param.name then
      param.type = item.options and option_class(types, name, item) or meta_options.type_of(item)
      local is_open = item.text:find "default" or item.text:find "or nil"
        or item.text:find "^nil"
      param.is_optional = param.is_optional or is_open ~= nil or item.options ~= nil
      param.text = item.options and "" or item.text
    end
  end
  param.type = param.type or meta_names.of(param.name, is_of_c(entry))
    or is_op and "bnn.Tensor|number|table" or "any"
  return param
end

-- Those behind one that may be left out may be too.
local function settle(params)
  local is_open = false
  for _, param in ipairs(params) do
    is_open = is_open or param.is_optional
    param.is_optional = is_open
  end
  return params
end

local function param_lines(params)
  local lines, names = {}, {}
  for i, param in ipairs(params) do
    local given = param.is_optional and meta_options.optional(param.type) or param.type
    names[i] = param.name
    local annotation = ("---@param %s %s"):format(param.name, given)
    lines[i] = meta_options.annotated(annotation, param.text or "")
  end
  return lines, table.concat(names, ", ")
end

-- ---- results ----

local function return_lines(entry, fields, types)
  local first, known = fields.returns[1], meta_names.known_result(entry)
  if known or not first then
    return {"---@return " .. (known or meta_names.returned(entry, fields.calls[1] ~= nil))}
  end
  local own = RESULTS[entry.name] or entry.name:gsub(":", ".") .. ".result"
  local given = doc_types.of_results(first.text)
  if first.options then
    local above = (given[1] or ""):match "^bnn%.%u%w+$"
    local is_object = above and above ~= "bnn.Tensor"
    given = {meta_options.add(types, own, first.options, "What " .. entry.name .. " returns.",
      true, is_object and above)}
  end
  if not given[1] then given = {"any"} end
  local fails = first.text:find("nil, message", 1, true) or first.text:find("nil, fault", 1, true)
  if fails then given[1] = meta_options.optional(given[1]) end
  local lines = {}
  for i, one in ipairs(given) do lines[i] = "---@return " .. one end
  lines[1] = meta_options.annotated(lines[1], first.text)
  if fails and not given[2] then lines[#lines + 1] = "---@return string? message" end
  return lines
end

-- ---- texts ----

local function add_text(lines, text)
  for _, line in ipairs(help_text.wrap(text, 96)) do lines[#lines + 1] = "---" .. line end
end

local function add_block(lines, block)
  if block.kind == "text" then return add_text(lines, block.text) end
  lines[#lines + 1] = "---```" .. (block.kind == "code" and "lua" or "")
  if block.kind == "code" then
    for line in (block.text .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = "---" .. line end
  else
    for _, row in ipairs(block.rows) do lines[#lines + 1] = ("---%s  %s"):format(row[1], row[2]) end
  end
  lines[#lines + 1] = "---```"
end

local function text_lines(fields)
  local lines = {}
  for _, list in ipairs{fields.blocks, fields.notes} do
    for _, block in ipairs(list) do
      if lines[1] then lines[#lines + 1] = "---" end
      add_block(lines, block)
    end
  end
  return lines
end

local function append(lines, more) table.move(more, 1, #more, #lines + 1, lines) end

--- The lines of a function: text, parameters, results.
-- @param name string: what it is defined as
-- @param entry table as help.entries gives it
-- @param fields table: what entry_fields reads in it
-- @param types list of classes, to which those of its options are added
-- @param skip integer: how many of its parameters are left out at the start, 0
-- @return list of strings
function M.lines(name, entry, fields, types, skip)
  local params = {}
  for i, param in ipairs(params_of(fields.calls, is_of_c(entry))) do
    if i > (skip or 0) then
      params[#params + 1] = typed(param, fields, entry, types)
    end
  end
  local lines, names = param_lines(settle(params))
  local all, given = text_lines(fields), meta_names.ANNOTATIONS[entry.name]
  append(all, given or lines)
  append(all, given and {} or return_lines(entry, fields, types))
  all[#all + 1] = ("function %s(%s) end"):format(name, names)
  table.insert(all, 1, "")
  return all
end

return M
