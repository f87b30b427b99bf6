--- The text of help on one entry: its call, its documentation, what is known of an op, where its
-- object comes from, its sources, and what to look at besides.
local classes = require "bnn.help.help_classes"
local entry_fields = require "bnn.help.entry_fields"
local help_find = require "bnn.help.help_find"
local help_text = require "bnn.help.help_text"
local references = require "bnn.help.references"
local reflow = require "bnn.help.reflow"
local see_also = require "bnn.help.see_also"

local M = {}

-- Adds a text broken at spaces: its first line after `title`, the others indented alike.
local function add_titled(lines, title, text)
  local margin = (" "):rep(#title)
  for k, line in ipairs(help_text.wrap(text, help_text.COLUMNS - #title)) do
    lines[#lines + 1] = (k == 1 and title or margin) .. line
  end
end

local SHAPES = {
  {"elementwise with broadcasting", "any that broadcast by NumPy's rule; others raise."},
  {"elementwise", "any; the result has the shape of x."},
  {"axes = all", "axes count from 1, -1 is the last; a number or a list. The result lacks them, or"
    .. " keeps them with size 1. An axis that x does not have raises."},
}

-- What an op's text says of shapes in a few words, in full.
local function shapes_of(doc)
  local first = doc:match "^[^\n]*":gsub("axis = all", "axes = all")
  for _, row in ipairs(SHAPES) do
    if first:find(row[1], 1, true) then return row[2] end
  end
  return "as in the text; others raise, naming the argument and both shapes."
end

-- What is true of an op by its row: shapes, units and types, and whether it has a gradient.
local function add_op_facts(add, entry)
  if not entry.types then return end
  add("Shapes", shapes_of(entry.doc or ""))
  if entry.name:find "log_prob" then add("Units", "nats.") end
  add("Types", entry.types)
  if not entry.gradient then add("Gradient", "none; it counts as constant.") end
end

local function add_doc(lines, entry)
  local doc = entry.doc or ""
  local first = entry.call
  if not first and doc:find("^" .. help_find.last_part(entry.name) .. "%(") then
    first, doc = doc:match "^([^\n]*)\n?(.*)$" -- C docs open with their call
  end
  for k, line in ipairs(help_text.wrap(first or entry.name, help_text.COLUMNS - 4)) do
    lines[#lines + 1] = (k > 1 and "    " or "") .. line
  end
  for _, line in ipairs(reflow.lines(doc, help_text.COLUMNS - 2, not entry.field)) do
    lines[#lines + 1] = "  " .. line
  end
end

local function add_origin(lines, entry)
  local class = entry.name:match "^([%w_]+):"
  local origin = class and classes.origins[class]
  if origin and not entry.types then add_titled(lines, "  ", origin) end
end

-- What a text leaves out on errors, if its function has arguments.
local MISUSE = "arguments of another kind and unknown options raise."

local function add_errors(add, entry)
  if entry.types or not (entry.call or not entry.field) then return end
  local fields = entry_fields.read(entry)
  local first = fields.params[1]
  local takes_none = not (fields.calls[1] or ""):find "[({][%w_]"
  local takes_any = first and first.text:find "^any%f[%W]"
  if fields.errors[1] or takes_none or takes_any then return end
  add("Errors", MISUSE)
end

local function add_sources(add, entry)
  for _, source in ipairs(references.cited(entry.doc or "")) do add("Source", source) end
  if entry.file and entry.line and entry.call then
    add("Defined in", ("%s:%d"):format(entry.file, entry.line))
  end
end

--- What is known of an entry besides its text: shapes, units, types and gradient of an op, errors
-- that its text leaves out, what it cites, where it is defined.
-- @param entry table as help.entries gives it
-- @return list of {title, text}
function M.facts(entry)
  local facts = {}
  local function add(title, text) facts[#facts + 1] = {title, text} end
  add_op_facts(add, entry)
  add_errors(add, entry)
  add_sources(add, entry)
  return facts
end

local IS_SOURCE = {Source = true, ["Defined in"] = true} -- which stand last

--- The lines of help on an entry.
-- @param entry table as help.entries gives it
-- @param entries list of all entries
-- @param guides list of guides
-- @return list of strings
function M.lines(entry, entries, guides)
  local lines = {}
  add_doc(lines, entry)
  local facts = M.facts(entry)
  for _, fact in ipairs(facts) do
    if not IS_SOURCE[fact[1]] then add_titled(lines, "  " .. fact[1] .. ": ", fact[2]) end
  end
  add_origin(lines, entry)
  for _, fact in ipairs(facts) do
    if IS_SOURCE[fact[1]] then add_titled(lines, "  " .. fact[1] .. ": ", fact[2]) end
  end
  local names = see_also.names(entry, entries, guides)
  if names[1] then add_titled(lines, "  See also: ", table.concat(names, ", ")) end
  return lines
end

return M
