--- The work behind bnn.help: finds the documentation of a name, a value or words, and prints it.
--
-- Functions take the library, `bnn`, whose names are the public ones: nothing here requires it, as
-- it requires this.
local classes = require "bnn.help.help_classes"
local docstrings = require "bnn.help.docstrings"
local guides = require "bnn.help.guides"
local help_text = require "bnn.help.help_text"
local index = require "bnn.help.help_index"
local public = require "bnn.help.public"
local reflow = require "bnn.help.reflow"
local search = require "bnn.help.help_search"
local see_also = require "bnn.help.see_also"
local strings = require "bnn.base.strings"

local M = {}

local FULL = 6 -- more entries than this are only listed
local SCREEN = 24 -- lines of a terminal

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

local function print_lines(lines)
  for _, line in ipairs(lines) do io.write(line, "\n") end
end

-- Prints a text broken at spaces: its first line after `title`, the others indented alike.
local function print_wrapped(title, text)
  local margin = (" "):rep(#title)
  for k, line in ipairs(help_text.wrap(text, help_text.COLUMNS - #title)) do
    io.write(k == 1 and title or margin, line, "\n")
  end
end

-- What is true of an op by its row: which types it takes, and whether it has a gradient.
local function print_op_facts(entry)
  if not entry.types then return end
  local first = (entry.doc or ""):match "^[^\n]*"
  if first:find "elementwise with broadcasting" then
    print_wrapped("  Shapes: ", "any that broadcast by NumPy's rule; others raise.")
  elseif first:find "elementwise" then
    print_wrapped("  Shapes: ", "any; the result has the shape of x.")
  elseif first:find("axes = all", 1, true) or first:find("axis = all", 1, true) then
    print_wrapped("  Shapes: ", "axes count from 1, -1 is the last; a number or a list. The result"
      .. " lacks them, or keeps them with size 1. An axis that x does not have raises.")
  end
  print_wrapped("  Types: ", entry.types)
  if not entry.gradient then print_wrapped("  Gradient: ", "none; it counts as constant.") end
end

local function print_doc(entry)
  local doc = entry.doc or ""
  local first = entry.call
  if not first and doc:find("^" .. last_part(entry.name) .. "%(") then
    first, doc = doc:match "^([^\n]*)\n?(.*)$" -- C docs open with their call
  end
  for k, line in ipairs(help_text.wrap(first or entry.name, help_text.COLUMNS - 4)) do
    io.write(k > 1 and "    " or "", line, "\n")
  end
  for _, line in ipairs(reflow.lines(doc, help_text.COLUMNS - 2, not entry.field)) do
    io.write("  ", line, "\n")
  end
end

local function print_entry(entry)
  print_doc(entry)
  print_op_facts(entry)
  local class = entry.name:match "^([%w_]+):"
  local origin = class and classes.origins[class]
  if origin and not entry.types then print_wrapped("  ", origin) end
end

local function print_see_also(entry, entries, all_guides)
  local names = see_also.names(entry, entries, all_guides)
  if names[1] then print_wrapped("  See also: ", table.concat(names, ", ")) end
end

-- The names of entries, each once, in order.
local function names_of(entries)
  local names = {}
  for _, entry in ipairs(entries) do
    if names[#names] ~= entry.name then names[#names + 1] = entry.name end
  end
  return names
end

-- Lists the members of a module or a class below its own text.
local function print_members(owner, entries)
  if owner.name == "bnn" then
    io.write "\n"
    return print_lines(index.overview(entries))
  end
  local short = last_part(owner.name) .. ":"
  local members = select_entries(entries, function(entry)
    return entry.name:sub(1, #owner.name + 1) == owner.name .. "."
      or entry.name:sub(1, #short) == short
  end)
  if not members[1] then return end
  io.write "\n"
  print_lines(help_text.columns(names_of(members)))
end

local TOPICS = 10

local function print_start(all_guides)
  local rows = {}
  for i = 1, math.min(TOPICS, #all_guides) do
    rows[i] = {all_guides[i].name, all_guides[i].title}
  end
  io.write "bnnlua is Lua 5.4 with Bayesian deep learning. Topics, the first one first:\n\n"
  for _, block in ipairs(help_text.rows(rows)) do print_lines(block) end
  io.write [[

How to go on:
  help "start"           shows a topic
  help "bnn.train"       explains a function, a method or, help(x), a value
  help "learning rate"   searches names, descriptions and topics for words
  help "bnn"             lists the functions and modules of the library
  help "ops"             lists what tensors can do
  help "index"           lists every public name with a sentence
In a script it is bnn.help "start", in a shell bnnlua -m help start.
]]
end

-- Prints rows of a search as far as a screen goes, and how many it leaves out.
local function print_found(topic, found)
  io.write(("'%s' is in %d %s:\n\n"):format(strings.shown(topic), #found,
                                            #found == 1 and "text" or "texts"))
  local used, shown = 5, 0 -- the two above, the empty one and the count below, and the prompt
  for _, block in ipairs(help_text.rows(found)) do
    if used + #block > SCREEN then break end
    print_lines(block)
    used, shown = used + #block, shown + 1
  end
  if shown < #found then
    io.write(("\n%d more; another word narrows the search\n"):format(#found - shown))
  end
end

-- A topic that is no name: what has its words, or else names near to it. A name with a dot is only
-- looked for among names.
local function print_unknown(topic, is_name, entries, all_guides)
  local is_text = is_name and not topic:find "^[%w_]*[.:]"
  local found = is_text and search.find(topic, entries, all_guides) or {}
  if found[1] then return print_found(topic, found) end
  local near = search.near(topic, entries, all_guides)
  local hint = near[1] and "the nearest: " .. table.concat(near, ", ")
    or "help() shows where to start"
  io.write(("nothing about '%s'; %s\n"):format(strings.shown(topic), hint))
end

local function print_entries(found, entries, all_guides)
  if #found > FULL then return print_lines(help_text.columns(names_of(found))) end
  for i, entry in ipairs(found) do
    if i > 1 then io.write "\n" end
    print_entry(entry)
    print_see_also(entry, entries, all_guides)
  end
  if #found == 1 and not found[1].call then print_members(found[1], entries) end
end

local lists = {index = index.lines, ops = index.ops}

-- Prints a list or a guide of that name, and what the library has under it; false if there is none.
local function print_topic(topic, entries, all_guides)
  if lists[topic] then
    print_lines(lists[topic](entries))
    return true
  end
  local guide = guides.find(all_guides, topic)
  if not guide then return false end
  print_lines(guides.lines(guide))
  local name = "bnn." .. topic
  for _, entry in ipairs(entries) do
    if entry.name == name then
      io.write(("\nhelp \"%s\" explains the module of that name.\n"):format(name))
      break
    end
  end
  return true
end

--- Prints the documentation of a topic; without one, where to start.
-- @param bnn table: the library
-- @param topic string, function, table or object
function M.show(bnn, topic)
  local entries, all_guides = M.entries(bnn), guides.list()
  if topic == nil then return print_start(all_guides) end
  local is_name = type(topic) == "string"
  if is_name and print_topic(topic, entries, all_guides) then return end
  local found, class
  if is_name then
    found = find_name(bnn, topic, entries)
  else
    found, class = find_value(bnn, topic, entries)
  end
  if not found[1] then
    local shown = is_name and topic or class or tostring(topic)
    return print_unknown(shown, is_name, entries, all_guides)
  end
  print_entries(found, entries, all_guides)
  if class == "bnn.tensor" then io.write "\nOps are methods too: help \"ops\" lists them.\n" end
end

return M
