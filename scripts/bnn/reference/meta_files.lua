--- Definition files for the language servers of Lua (LuaLS, EmmyLua): what help knows of every
-- public name as annotations, so that an editor completes names, shows texts and checks types.
--
-- bnn.lua is what `require "bnn"` finds; bnn_types.d.lua has the classes of objects and of option
-- tables. Both are only read by editors.
local classes = require "bnn.help.help_classes"
local core = require "bnn.core"
local doc_types = require "bnn.reference.doc_types"
local entry_fields = require "bnn.help.entry_fields"
local folders = require "bnn.base.folders"
local help = require "bnn.help.help"
local help_index = require "bnn.help.help_index"
local help_text = require "bnn.help.help_text"
local meta_names = require "bnn.reference.meta_names"
local options = require "bnn.base.options"
local reference_usage = require "bnn.reference.reference_usage"
local strings = require "bnn.base.strings"

local M = {}

--- The files, the first being the module.
M.MODULE, M.TYPES = "bnn.lua", "bnn_types.d.lua"

local MARK = "-- written by `bnnlua -m meta`"

-- Results that are classes of their own: what they are called.
local RESULTS = {["bnn.predict"] = "bnn.Prediction", ["bnn.data.load"] = "bnn.DataSet"}

local KEYWORDS = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat "
  .. "return then true until while"):gmatch "%a+" do
  KEYWORDS[word] = true
end

local function class_of(name) return "bnn." .. name:gsub("^%l", string.upper) end

-- ---- types ----

-- What a default says: that of the option, or "default 128: ..." in its text.
local function of_default(item)
  local default = item.default or item.text:match "^default ([%w.%-]+)"
  return default and doc_types.of_default(default)
end

-- A text that several options share says less of each than its name does.
local function type_of(item, is_shared)
  if meta_names.is_fixed(item.name) then return meta_names.of(item.name) end
  local said = doc_types.of(item.text)
  if said == "any" then said = nil end
  if said == "bnn.Part" then said = "bnn.Part|table" end -- {x=, y=} often does
  local known = of_default(item) or meta_names.of(item.name)
  local is_word = said and item.default and said:find '^"' and item.default:find '^"'
  if is_word and said ~= item.default then return item.default .. "|" .. said end
  if is_shared then return known or said or "any" end
  return said or known or "any"
end

local function is_shared(items, i)
  local text = items[i].text
  return items[i - 1] and items[i - 1].text == text or items[i + 1] and items[i + 1].text == text
end

-- A type that may be left out: "T?", or with alternatives "T|nil".
local function optional(given)
  if given == "any" or given:find "%f[%a]nil%f[%A]" then return given end
  return given:find "[|(]" and given .. "|nil" or given .. "?"
end

-- An annotation with a text behind it, on one line.
local function annotated(annotation, text)
  text = strings.cut(text:gsub("%s+", " "), 240)
  return text == "" and annotation or annotation .. " # " .. text
end

-- Whether a field is always there: of what a function returns, unless its text speaks of nil; of
-- options, if the text says that it is required.
local function is_there(item, is_result)
  if is_result then return not item.text:find "%f[%a]nil%f[%A]" end
  return item.text:find "required" and not item.text:find "required for"
end

-- The class of a table of options, its lines added to `types`; its name.
-- @param is_result boolean: whether a function returns it
-- @param above string or nil: the class that it adds fields to
local function add_options(types, name, items, about, is_result, above)
  local lines = {"", "---" .. about, "---@class " .. name .. (above and ": " .. above or "")}
  types[#types + 1] = lines
  for i, item in ipairs(items) do
    local given = item.options and add_options(types, name .. "." .. item.name, item.options,
      "Options " .. item.name .. " of " .. name .. ".", is_result)
      or type_of(item, not is_result and is_shared(items, i))
    local is_needed = is_there(item, is_result)
    local field = is_needed and item.name or item.name .. "?"
    if not lines[item.name] then
      lines[item.name] = true
      lines[#lines + 1] = annotated(("---@field %s %s"):format(field, given), item.text)
    end
  end
  if is_result then lines[#lines + 1] = "---@field [string] any" end
  return name
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
  local own = add_options(types, name:gsub(":", ".") .. "." .. item.name, item.options,
    "Options of " .. name .. ".")
  local before = item.text:match "^table:?%s*(.*)$" or ""
  local has_list = before ~= "" and not before:find "^[%w_]+="
  return has_list and own .. "|any[]" or own
end

-- What the text of a parameter says: its type, whether it may be left out, and its text.
local function typed(param, fields, entry, types)
  local name, is_op = entry.name, entry.types ~= nil
  for _, item in ipairs(fields.params) do
    if item.name == param.name then
      param.type = item.options and option_class(types, name, item) or type_of(item)
      local is_open = item.text:find "default" or item.text:find "or nil"
        or item.text:find "^nil"
      param.is_optional = param.is_optional or is_open ~= nil or item.options ~= nil
      param.text = item.options and "" or item.text
    end
  end
  param.type = param.type or meta_names.of(param.name, is_of_c(entry))
    or is_op and "bnn.Tensor|number|any[]" or "any"
  return param
end

-- Those behind one that may be left out may be too.
local function settle(params)
  local is_open = false
  for i, param in ipairs(params) do
    is_open = is_open or param.is_optional
    local is_only = #params == 1 and i == 1 and param.name == "opts"
    param.is_optional = is_open and not is_only
  end
  return params
end

local function param_lines(params)
  local lines, names = {}, {}
  for i, param in ipairs(params) do
    local given = param.is_optional and optional(param.type) or param.type
    names[i] = param.name
    lines[i] = annotated(("---@param %s %s"):format(param.name, given), param.text or "")
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
    given = {add_options(types, own, first.options, "What " .. entry.name .. " returns.",
      true, is_object and above)}
  end
  if not given[1] then given = {"any"} end
  local fails = first.text:find("nil, message", 1, true) or first.text:find("nil, fault", 1, true)
  if fails then given[1] = optional(given[1]) end
  local lines = {}
  for i, one in ipairs(given) do lines[i] = "---@return " .. one end
  lines[1] = annotated(lines[1], first.text)
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

-- The lines of a function under a name: text, parameters, results.
local function function_lines(name, entry, fields, types, skip)
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

-- ---- files ----

local function head(version)
  return {"---@meta", MARK .. " of " .. version .. "; what is written here is lost.", ""}
end

-- The annotation of a module that can be called, bnn.space{...}; nil of another.
local function call_line(bnn, name)
  local module = bnn[name:match "^bnn%.([%w_]+)$" or ""]
  local meta = type(module) == "table" and getmetatable(module)
  if not meta or not meta.__call then return nil end
  local result = name == "bnn.space" and "bnn.Space" or "bnn.Tensor"
  return ("---@overload fun(...: any): %s"):format(result)
end

-- bnn.x.y as modules in order, and the functions in them.
local function module_lines(bnn, entries, types, version)
  local modules, lines, seen = help_index.modules(entries), head(version), {}
  append(lines, {"---@class bnn", "local bnn = {}"})
  for _, name in ipairs(options.sorted_names(modules)) do
    append(lines, {"", "---@class " .. name})
    lines[#lines + 1] = call_line(bnn, name)
    lines[#lines + 1] = name .. " = {}"
  end
  for _, entry in ipairs(entries) do
    local op = entry.name:match "^x:([%w_]+)$"
    local name = op and "bnn." .. op or entry.name
    local is_function = (entry.call or not entry.field) and name:find "^bnn%."
    if is_function and not seen[name] and not modules[name] then
      seen[name] = true
      append(lines, function_lines(name, entry, entry_fields.read(entry), types))
    end
  end
  append(lines, {"", "return bnn"})
  return lines
end

-- Methods by class: {class, list of {entry, how many parameters to skip}}.
local function methods_of(entries)
  local by_class, names = {}, {}
  for _, entry in ipairs(entries) do
    local class, method = entry.name:match "^([%w_]+):([%w_]+)$"
    local owner = class == "x" and "tensor" or class
    if owner and not (entry.types and entry_fields.read(entry).calls[1]:find "%(tensors") then
      if not by_class[owner] then
        by_class[owner], names[#names + 1] = {seen = {}}, owner
      end
      local of = by_class[owner]
      of[#of + 1] = {entry = entry, method = method, skip = class == "x" and 1 or 0}
    end
  end
  table.sort(names, strings.before)
  return by_class, names
end

local function class_lines(entries, types)
  local by_class, names = methods_of(entries)
  local lines = {}
  for _, class in ipairs(names) do
    local title = class_of(class)
    local short = title:match "[^.]+$"
    local above = meta_names.ABOVE[class]
    append(lines, {"", "---" .. (classes.origins[class] or ""),
                   "---@class " .. title .. (above and ": " .. above or "")})
    append(lines, meta_names.CLASS_LINES[class] or {})
    lines[#lines + 1] = ("local %s = {}"):format(short)
    -- a method of C's comes before the op of its name
    table.sort(by_class[class], function(a, b)
      if a.method ~= b.method then return strings.before(a.method, b.method) end
      return a.skip < b.skip
    end)
    for _, row in ipairs(by_class[class]) do
      if not by_class[class].seen[row.method] and not KEYWORDS[row.method] then
        by_class[class].seen[row.method] = true
        append(lines, function_lines(short .. ":" .. row.method, row.entry,
          entry_fields.read(row.entry), types, row.skip))
      end
    end
  end
  return lines
end

--- The definitions as texts.
-- @param bnn table: the library
-- @param version string: of the program
-- @return list of {name, text}
function M.files(bnn, version)
  local entries, types = help.entries(bnn), {}
  local module = module_lines(bnn, entries, types, version)
  local rest = head(version)
  append(rest, meta_names.OTHERS)
  append(rest, class_lines(entries, types))
  local seen = {}
  for _, lines in ipairs(types) do
    if not seen[lines[3]] then append(rest, lines) end
    seen[lines[3]] = true
  end
  return {{M.MODULE, table.concat(module, "\n") .. "\n"},
          {M.TYPES, table.concat(rest, "\n") .. "\n"}}
end

--- What a file .luarc.json says so that an editor reads the definitions.
-- @param folder string
-- @return string
function M.settings(folder)
  local path = core.real_path(folder) or folder
  return ('{"runtime.version": "Lua 5.4", "workspace.library": [%s]}'):format(
    core.json_encode(path) or "")
end

--- Writes the definitions into a folder.
-- @param bnn table: the library
-- @param folder string; it is made if it is not there
-- @return list of paths; or nil, message, also if a file there is another's
function M.write(bnn, folder)
  local ok, fault = folders.make(folder)
  if not ok then return nil, fault end
  local files, paths = M.files(bnn, reference_usage.version()), {}
  for i, file in ipairs(files) do
    paths[i] = folder .. "/" .. file[1]
    local before = core.file_head(paths[i], 200)
    if before and not before:find(MARK, 1, true) then
      return nil, paths[i] .. ": is there and was not written by this command; nothing was changed"
    end
  end
  for i, file in ipairs(files) do
    ok, fault = core.save_bytes(paths[i], file[2])
    if not ok then return nil, fault end
  end
  return paths
end

return M
