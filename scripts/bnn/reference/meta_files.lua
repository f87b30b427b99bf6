--- Definition files for the language servers of Lua (LuaLS, EmmyLua): what help knows of every
-- public name as annotations, so that an editor completes names, shows texts and checks types.
--
-- bnn.lua is what `require "bnn"` finds; bnn_types.d.lua has the classes of objects and of option
-- tables. Both are only read by editors.
local classes = require "bnn.help.help_classes"
local core = require "bnn.core"
local entry_fields = require "bnn.help.entry_fields"
local folders = require "bnn.base.folders"
local help = require "bnn.help.help"
local help_index = require "bnn.help.help_index"
local help_text = require "bnn.help.help_text"
local meta_function = require "bnn.reference.meta_function"
local meta_names = require "bnn.reference.meta_names"
local options = require "bnn.base.options"
local public = require "bnn.help.public"
local reference_usage = require "bnn.reference.reference_usage"
local strings = require "bnn.base.strings"

local M = {}

--- The files, the first being the module.
M.MODULE, M.TYPES = "bnn.lua", "bnn_types.d.lua"

local MARK = "-- written by `bnnlua -m meta`"

local function class_of(name) return "bnn." .. name:gsub("^%l", string.upper) end

local function append(lines, more) table.move(more, 1, #more, #lines + 1, lines) end

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

-- Whether an entry documents a table of a module, bnn.data.flags.
local function is_value(entry)
  local is_field = not entry.call and entry.field and entry.field ~= "" and entry.name:find "^bnn%."
  return is_field and type(public.value_of(entry)) == "table"
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
      append(lines, meta_function.lines(name, entry, entry_fields.read(entry), types))
    elseif is_value(entry) and not seen[name] and not modules[name] then
      seen[name] = true
      append(lines, {"", "---" .. help_text.summary(entry), name .. " = {}"})
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
      if not by_class[class].seen[row.method] then
        by_class[class].seen[row.method] = true
        append(lines, meta_function.lines(short .. ":" .. row.method, row.entry,
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
  local paths = {folder .. "/" .. M.MODULE, folder .. "/" .. M.TYPES}
  for _, path in ipairs(paths) do
    local before = core.file_head(path, 200)
    if before and not before:find(MARK, 1, true) then
      return nil, path .. ": is there and was not written by this command; nothing was changed"
    end
  end
  for i, file in ipairs(M.files(bnn, reference_usage.version())) do
    ok, fault = core.save_bytes(paths[i], file[2])
    if not ok then return nil, fault end
  end
  return paths
end

return M
