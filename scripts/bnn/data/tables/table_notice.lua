--- What was found about a table in text, in a line on stderr.
local classes = require "bnn.model.classes"
local notice = require "bnn.base.notice"
local number = require "bnn.base.number"
local strings = require "bnn.base.strings"
local table_schema = require "bnn.data.tables.table_schema"

local M = {}

local SEPARATORS = {["\t"] = "tab", [" "] = "blanks"}

local function count(n, noun) return ("%d %s%s"):format(n, noun, n == 1 and "" or "s") end

-- The names of the columns that are categories; and "age 177" of those that lack values.
local function by_kind(columns, given)
  local categories, missing = {}, {}
  for k, column in ipairs(columns) do
    if column.kind == "category" and not given[k] then
      categories[#categories + 1] = ("%s (%d)"):format(column.name, #column.categories)
    end
    local lack = table_schema.missing(column)
    if lack > 0 then missing[#missing + 1] = ("%s %d"):format(column.name, lack) end
  end
  return categories, missing
end

local TELLING = 20 -- rows from which on as many categories are a name for each row

-- The columns that tell all rows apart.
local function telling(t)
  local names = {}
  for _, column in ipairs(t.columns) do
    local is_telling = column.kind == "category" and #column.categories == t.size
    if is_telling and t.size >= TELLING then names[#names + 1] = column.name end
  end
  return names
end

local function mixed_words(c)
  return ("%s is a category, as line %d holds '%s' (%d of %d cells are numbers)"):format(c.name,
    c.line, c.text, c.numbers, c.numbers + c.texts)
end

-- "in id 2 whole numbers are rounded, in line 3 12345678901 to 12345678848 (...)"
local function rounded_words(c)
  local form = "in %s %d whole number%s rounded, in line %d %s to %.0f (as a category each keeps "
    .. "its own)"
  return number.format(form, c.name, c.count, c.count == 1 and " is" or "s are", c.line, c.text,
    c.to)
end

-- How to leave a column out: option is what stands for it in types=.
local function hint(opts, option, name)
  if not opts.hint then return ('types = {%s = "ignore"}'):format(option) end
  return (opts.hint:gsub("%%s", (name:gsub("%%", "%%%%"))))
end

--- Says what was found in a file.
-- @param t table of bnn.data.table
-- @param found table: separator, decimal, header, columns, index, counting, mixed, rounded
-- @param opts table: what was said
function M.say(path, t, found, opts)
  local words = {("%s of %s"):format(count(t.size, "row"), count(found.columns, "column"))}
  local function add(form, ...) words[#words + 1] = strings.message(form, ...) end
  if not opts.separator and found.separator ~= "," and found.columns > 1 then
    add("delimiter %s", SEPARATORS[found.separator] or ("'%s'"):format(found.separator))
  end
  if not opts.decimal and found.decimal == "," then add "decimal comma" end
  add("%s", found.header and "the first row is a header" or "no header")
  local categories, missing = by_kind(t.columns, found.given)
  if categories[1] then add("categories: %s", classes.words(categories)) end
  if missing[1] then add("missing: %s", classes.words(missing)) end
  for _, c in ipairs(found.mixed) do add("%s", mixed_words(c)) end
  for _, c in ipairs(found.rounded) do add("%s", rounded_words(c)) end
  if found.index then add "column 1, an index without a name, left out" end
  for _, name in ipairs(telling(t)) do
    add("each row has a category of its own in %s (%s leaves it out)", name, hint(opts, name, name))
  end
  if found.counting then
    add("%s numbers the rows (%s leaves it out)", found.counting,
      hint(opts, "[1]", found.counting))
  end
  notice.say("%s: %s", path, table.concat(words, "; "))
end

--- Says what was rounded in a column; nothing if nothing was.
-- @param c {name=, count=, line=, text=, to=} or nil
function M.say_rounded(path, c)
  if c then notice.say("%s: %s", path, rounded_words(c)) end
end

--- Says which columns of the other table a file does not have.
-- @param absent list of names
function M.say_absent(path, absent)
  if absent[1] then notice.say("%s: has no column %s", path, classes.words(absent)) end
end

return M
