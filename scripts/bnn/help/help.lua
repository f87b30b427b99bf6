--- The work behind bnn.help: finds the documentation of a name or a value, and prints it.
--
-- Functions take the library, `bnn`, whose names are the public ones: nothing here requires it, as
-- it requires this.
local docstrings = require "bnn.help.docstrings"
local index = require "bnn.help.help_index"
local nearest = require "bnn.base.nearest"
local public = require "bnn.help.public"
local strings = require "bnn.base.strings"

local M = {}

local COLUMNS = 80
local FULL = 6 -- more entries than this are only listed

--- Every documentation entry of the library, sorted by name: {name=, doc=, call=}.
function M.entries(bnn)
  return public.names(docstrings.collect(), bnn)
end

-- The value of a public name ("bnn.train", or "train"), followed through the library's tables.
local function public_value(bnn, name)
  local value = bnn
  for field in name:gsub("^bnn%.?", ""):gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    value = rawget(value, field)
  end
  return value
end

local function select_entries(entries, wanted)
  local found = {}
  for _, entry in ipairs(entries) do
    if wanted(entry) then found[#found + 1] = entry end
  end
  return found
end

-- Whether an entry documents a function that C hands out: bnn.key, or an op, x:sum and bnn.sum.
local function is_of_c(bnn, entry, value)
  local name = not entry.field and (entry.name:match "^bnn%.([%w_]+)$"
    or entry.name:match "^x:([%w_]+)$" or entry.name:match "^([%w_]+)$")
  return name and type(value) == "function" and rawequal(public_value(bnn, name), value)
end

-- Entries of a value: itself, or by the name in its metatable its class ("bnn.tensor") and methods.
local function find_value(bnn, value, entries)
  local found = select_entries(entries, function(entry)
    return rawequal(public.value_of(entry), value) or is_of_c(bnn, entry, value)
  end)
  local meta = getmetatable(value)
  local class = type(meta) == "table" and meta.__name and tostring(meta.__name)
  if found[1] or not class or type(value) == "string" then return found, class end
  local short = class:match "[^.]+$" .. ":"
  return select_entries(entries, function(entry)
    return entry.name == class or entry.name:sub(1, #short) == short
  end), class
end

local function last_part(name)
  return name:match "[^.:]+$" or name
end

-- Entries of a name: as written, with "bnn." in front, as what the library has under that name
-- (bnn.main is written in another module), or by its last part ("x:sum" and "t:sum" are "sum").
local function find_name(bnn, name, entries)
  local function named(wanted)
    return select_entries(entries, function(entry) return entry.name == wanted end)
  end
  local found = named(name)
  if not found[1] then found = named("bnn." .. name) end
  -- "linear" is an op, but a layer and a schedule too
  local is_whole = name:find "%."
  local value = not found[1] and is_whole and public_value(bnn, name)
  if value then found = find_value(bnn, value, entries) end
  if found[1] then return found end
  local last = last_part(name)
  return select_entries(entries, function(entry) return last_part(entry.name) == last end)
end

local function print_entry(entry)
  local doc = entry.doc or ""
  local first = entry.call
  if not first and doc:find("^" .. last_part(entry.name) .. "%(") then
    first, doc = doc:match "^([^\n]*)\n?(.*)$" -- C docs open with their call
  end
  io.write(first or entry.name, "\n")
  for line in doc:gmatch "[^\n]+" do io.write("  ", line, "\n") end
end

local function print_columns(names)
  local width = 0
  for _, name in ipairs(names) do width = math.max(width, #name + 2) end
  local across = math.max(1, COLUMNS // math.max(width, 1))
  local down = (#names + across - 1) // across
  for row = 1, down do
    local line = {}
    for i = row, #names, down do line[#line + 1] = ("%-" .. width .. "s"):format(names[i]) end
    io.write((table.concat(line):gsub("%s+$", "")), "\n")
  end
end

-- The names of entries, each once, in order.
local function names_of(entries)
  local names = {}
  for _, entry in ipairs(entries) do
    if names[#names] ~= entry.name then names[#names + 1] = entry.name end
  end
  return names
end

-- Lists the members of a module or a class below its own text; internal ones only if it is internal
-- itself.
local function print_members(owner, entries)
  local name = owner.name
  local short = last_part(name) .. ":"
  local members = select_entries(entries, function(entry)
    if entry.internal and not owner.internal then return false end
    return entry.name:sub(1, #name + 1) == name .. "." or entry.name:sub(1, #short) == short
  end)
  if not members[1] then return end
  io.write "\n"
  print_columns(names_of(members))
end

local function print_topics(entries)
  io.write "help(topic) shows one of these, for example help \"bnn.train\" or help(x);\n"
  io.write "in a script: require \"bnn\".help \"bnn.train\"\n"
  local listed = select_entries(entries, function(entry) return not entry.internal end)
  for _, line in ipairs(index.lines(listed)) do io.write(line, "\n") end
end

-- Public names whose last part is near to the word: one letter in three may be wrong.
local function near_names(asked, entries)
  local parts, full, near = {}, {}, {}
  for _, entry in ipairs(entries) do
    local part = last_part(entry.name)
    parts[#parts + 1] = not full[part] and part or nil
    full[part] = full[part] or entry.name
  end
  for _, part in ipairs(nearest.list(asked, parts, 5)) do
    local is_start = strings.lower(part):sub(1, #asked) == strings.lower(asked)
    if is_start or 3 * nearest.distance(strings.lower(asked), strings.lower(part)) <= #asked then
      near[#near + 1] = full[part]
    end
  end
  return near
end

-- Public names whose text has the word.
local function mentions(word, entries)
  local pattern = "%f[%w]" .. strings.lower(word):gsub("%p", "%%%0") .. "%f[%W]"
  return names_of(select_entries(entries, function(entry)
    return strings.lower(entry.doc or ""):find(pattern) ~= nil
  end))
end

local MENTIONED = 8 -- names

local function print_unknown(topic, entries)
  local listed = select_entries(entries, function(entry) return not entry.internal end)
  local near, hint = near_names(last_part(topic), listed), "help() lists what there is"
  local mentioned = (near[1] or #topic < 3) and {} or mentions(topic, listed)
  if near[1] then
    hint = "the nearest: " .. table.concat(near, ", ")
  elseif mentioned[1] then
    local more = #mentioned > MENTIONED and ", ..." or ""
    local shown = table.concat(mentioned, ", ", 1, math.min(MENTIONED, #mentioned))
    hint = "mentioned in " .. shown .. more
  end
  io.write(("nothing about '%s'; %s\n"):format(strings.shown(topic), hint))
end

--- Prints the documentation of a topic; without one, the list of topics with a line each.
-- @param bnn table: the library
-- @param topic string, function, table or object
function M.show(bnn, topic)
  local entries = M.entries(bnn)
  if topic == nil then return print_topics(entries) end
  local is_name = type(topic) == "string"
  local found, class
  if is_name then
    found = find_name(bnn, topic, entries)
  else
    found, class = find_value(bnn, topic, entries)
  end
  if not found[1] then
    return print_unknown(is_name and topic or class or tostring(topic), entries)
  end
  if #found > FULL then return print_columns(names_of(found)) end
  for i, entry in ipairs(found) do
    if i > 1 then io.write "\n" end
    print_entry(entry)
  end
  if #found == 1 and not found[1].call then print_members(found[1], entries) end
end

return M
