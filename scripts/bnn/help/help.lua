--- The work behind bnn.help and bnn.apropos: the lines that explain a name, a value or words.
--
-- Functions take the library, `bnn`, whose names are the public ones: nothing here requires it, as
-- it requires this.
local docstrings = require "bnn.help.docstrings"
local entry_text = require "bnn.help.entry_text"
local guides = require "bnn.help.guides"
local help_find = require "bnn.help.help_find"
local help_own = require "bnn.help.help_own"
local help_text = require "bnn.help.help_text"
local index = require "bnn.help.help_index"
local pager = require "bnn.help.pager"
local public = require "bnn.help.public"
local search = require "bnn.help.help_search"
local strings = require "bnn.base.strings"
local words = require "bnn.help.help_words"

local M = {}

local FULL = 6 -- more entries than this are only listed
local SCREEN = 24 -- lines of a terminal

--- Every documentation entry of the library, sorted by name: {name=, doc=, call=}.
function M.entries(bnn)
  return public.names(docstrings.collect(), bnn)
end

local function add_all(lines, more) table.move(more, 1, #more, #lines + 1, lines) end

-- Rows {name, sentence} of entries, each name once.
local function rows_of(entries)
  local rows, last = {}, nil
  for _, entry in ipairs(entries) do
    if entry.name ~= last then rows[#rows + 1] = {entry.name, help_text.summary(entry)} end
    last = entry.name
  end
  return rows
end

-- Adds rows {name, sentence} below each other.
local function add_rows(lines, rows)
  for _, block in ipairs(help_text.rows(rows)) do add_all(lines, block) end
end

-- Adds the members of a module or a class, a line each, below its own text.
local function add_members(lines, owner, entries)
  lines[#lines + 1] = ""
  if owner.name == "bnn" then return add_all(lines, index.overview(entries)) end
  local short = help_find.last_part(owner.name) .. ":"
  local members = help_find.select(entries, function(entry)
    return entry.name:sub(1, #owner.name + 1) == owner.name .. "."
      or entry.name:sub(1, #short) == short
  end)
  if not members[1] then lines[#lines] = nil end
  add_all(lines, help_text.short_rows(rows_of(members)))
end

-- ---- without a topic ----

local HOW = [[
help "start"          a topic              help "bnn"    functions and modules
help "bnn.train"      a function; help(x)  help "ops"    what tensors can do
apropos "batch norm"  searches the texts   help "index"  every name]]

-- A screen: the guides, which are the topics, and how to ask for the rest.
local function start_lines(all_guides)
  local rows, lines = {}, {"Lua 5.4 with Bayesian deep learning. Topics (in a shell: "
    .. "bnnlua -m help):", ""}
  for i, guide in ipairs(all_guides) do rows[i] = {guide.name, guide.title} end
  add_rows(lines, rows)
  for line in HOW:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

-- ---- words ----

-- Rows of a search as far as a screen goes, and how many it leaves out.
local function found_lines(topic, found, answers)
  local shown, lines = strings.shown(topic), {}
  for _, answer in ipairs(answers) do add_all(lines, help_text.wrap(answer, help_text.COLUMNS)) end
  if not found[1] then return lines end
  if lines[1] then lines[#lines + 1] = "" end
  local texts = #found == 1 and "text" or "texts"
  lines[#lines + 1] = ("'%s' is in %d %s:"):format(shown, #found, texts)
  lines[#lines + 1] = ""
  local room, count = SCREEN - 3, 0 -- the empty line and the count below, and the prompt
  for _, line in ipairs(help_text.short_rows(found)) do
    if #lines + 1 > room then break end
    lines[#lines + 1] = line
    count = count + 1
  end
  if count < #found then
    lines[#lines + 1] = ("... %d more; another word narrows the search"):format(#found - count)
  end
  return lines
end

local function unknown_lines(topic, entries, all_guides)
  local near = search.near(topic, entries, all_guides)
  local hint = near[1] and "the nearest: " .. table.concat(near, ", ")
    or "help() shows where to start"
  return {("nothing about '%s'; %s"):format(strings.shown(topic), hint)}
end

-- What has the words, or what is said of them; else names near to them, and false.
local function search_lines(topic, entries, all_guides)
  local answers = words.answers(topic)
  local found = search.find(topic, entries, all_guides)
  if found[1] or answers[1] then return found_lines(topic, found, answers), true end
  return unknown_lines(topic, entries, all_guides), false
end

-- ---- topics ----

local function entries_lines(found, entries, all_guides)
  if #found > FULL then return help_text.short_rows(rows_of(found)) end
  local lines = {}
  for i, entry in ipairs(found) do
    if i > 1 then lines[#lines + 1] = "" end
    add_all(lines, entry_text.lines(entry, entries, all_guides))
  end
  if #found == 1 and not found[1].call then add_members(lines, found[1], entries) end
  return lines
end

local lists = {index = index.lines, ops = index.ops}

-- The lines of a list, or of a guide of that name with what the library has under it; or nil.
local function topic_lines(topic, entries, all_guides)
  if lists[topic] then return lists[topic](entries) end
  local guide = guides.find(all_guides, topic)
  if not guide then return nil end
  local lines, name = guides.lines(guide), "bnn." .. topic
  if help_find.select(entries, function(entry) return entry.name == name end)[1] then
    lines[#lines + 1] = ""
    lines[#lines + 1] = ("help \"%s\" explains the module of that name."):format(name)
  end
  return lines
end

-- The lines of a name, of a section of a guide, or of words; and whether there is anything.
local function named_lines(bnn, topic, entries, all_guides)
  local lines = topic_lines(topic, entries, all_guides)
    or topic:find "%." and help_own.of_lua(topic) -- string.format is not bnn.number.format
  if lines then return lines, true end
  local found = help_find.by_name(bnn, topic, entries)
  if found[1] then return entries_lines(found, entries, all_guides), true end
  lines = guides.section(all_guides, topic) or help_own.of_lua(topic)
  if lines then return lines, true end
  -- a name with a dot is only looked for among names
  if topic:find "^[%w_]*[.:]" then return unknown_lines(topic, entries, all_guides), false end
  return search_lines(topic, entries, all_guides)
end

local function value_lines(bnn, value, entries, all_guides)
  local found, class = help_find.by_value(bnn, value, entries)
  local is_other = not found[1] and type(value) == "function"
  local name = is_other and help_own.global_name(value) -- such as timeit of the prompt
  local lines_of_other = is_other and help_own.lines(value)
    or name and guides.section(all_guides, name)
  if lines_of_other then return lines_of_other, true end
  if not found[1] then
    return unknown_lines(class or tostring(value), entries, all_guides), false
  end
  local lines = entries_lines(found, entries, all_guides)
  if class == "tensor" then
    add_all(lines, {"", "Ops are methods too: help \"ops\" lists them."})
  end
  return lines, true
end

--- The documentation of a topic; without one, where to start.
-- @param bnn table: the library
-- @param topic string, function, table or object
-- @return list of lines, and whether there is anything on the topic
function M.lines(bnn, topic)
  local entries, all_guides = M.entries(bnn), guides.list()
  if topic == nil then return start_lines(all_guides), true end
  if type(topic) == "string" then
    local name = topic:match "^%s*([%w_.:]+)%s*[({]" or topic:match "^%s*(.-)%s*$" -- "train{"
    return named_lines(bnn, name, entries, all_guides)
  end
  return value_lines(bnn, topic, entries, all_guides)
end

--- The names and guides whose texts have all of some words, the best first.
-- @param bnn table: the library
-- @param text string
-- @return list of lines, and whether there are any
function M.search(bnn, text)
  return search_lines(text, M.entries(bnn), guides.list())
end

local function print_lines(lines)
  local write = pager.at_prompt and pager.write or pager.print
  write(lines)
end

--- Prints what a search finds.
function M.show_search(bnn, text) print_lines((M.search(bnn, text))) end

--- Prints the documentation of a topic; at the prompt a screen at a time.
function M.show(bnn, topic) print_lines((M.lines(bnn, topic))) end

return M
