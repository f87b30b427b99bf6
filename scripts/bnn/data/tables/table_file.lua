--- Tables from files of text: what the columns are, said by options or another table, or found.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"
local table_class = require "bnn.data.tables.table_class"
local table_like = require "bnn.data.tables.table_like"
local table_notice = require "bnn.data.tables.table_notice"

local M = {}

local malformed = strings.malformed

-- The options of read.
M.SPEC = {
  separator = "string", delimiter = "string", decimal = {type = "string", choices = {".", ","}},
  header = "boolean", types = "table", categories = "table",
  missing = {type = "string", list = true}, like = "table", optional = "string|table",
  hint = "string",
}

-- ---- options ----

local KINDS = {number = true, category = true, ignore = true}

-- What is wrong with options of the right types; nil when nothing is.
local function misuse(opts)
  local separator = opts.delimiter or opts.separator
  if opts.delimiter and opts.separator then
    return "delimiter and separator say one thing; give one of them"
  elseif separator and not separator:find '^[^"\r\n]$' then
    return "delimiter: expected one character, no quote or line end"
  elseif opts.optional and not opts.like then
    return "optional: says which columns of like= may be absent; give like="
  end
  for column, kind in pairs(opts.types or {}) do
    if not KINDS[kind] then
      return ("types: expected \"number\", \"category\" or \"ignore\" for %s, got %s"):format(
        kinds.show(column), kinds.show(kind))
    elseif opts.like and kind ~= "ignore" then
      return "types: like= says what the columns are; only \"ignore\" goes with it"
    end
  end
end

local function check_categories(what, categories)
  for column, names in pairs(categories) do
    local where = ("%s: categories: %s"):format(what, kinds.show(column))
    if not kinds.is_plain(names) then fail.expected(where, "a list of strings", names) end
    local seen = {}
    for _, name in ipairs(names) do
      if type(name) ~= "string" then fail.expected(where, "a list of strings", name) end
      if seen[name] then fail("%s: '%s' is there twice", where, name) end
      seen[name] = true
    end
  end
end

--- The options of a reader of tables, checked; raises what is wrong with them.
-- @param spec table: those that it has, of M.SPEC and its own
function M.checked(what, opts, spec)
  opts = options.check(what, opts, spec)
  local fault = misuse(opts)
  if fault then fail("%s: %s", what, fault) end
  check_categories(what, opts.categories or {})
  if opts.like then
    if opts.categories then fail("%s: expected categories= or like=, got both", what) end
    table_like.columns(what, opts.like)
  end
  opts.separator = opts.delimiter or opts.separator
  return opts
end

-- ---- columns by name and position ----

local function find_all(first, name)
  local found = {}
  for k, cell in ipairs(first) do
    if cell == name then found[#found + 1] = k end
  end
  return found
end

-- The positions of a column that an option calls by its name or its position; nil, and why, when
-- there is none. Without a header columns are called column_1, column_2 ...
local function positions(path, first, column)
  local at = math.tointeger(column)
  if type(column) == "string" then
    local found = find_all(first, column)
    if found[1] then return found end
    at = math.tointeger(tonumber(column:match "^column_(%d+)$"))
  elseif at and at < 0 then
    at = #first + 1 + at
  end
  if at and first[at] then return {at} end
  local near = type(column) == "string" and nearest.find(column, first)
  return malformed(path, "there is no column %s%s; the first of %d is '%s'", kinds.show(column),
    near and (" (did you mean '%s'?)"):format(near) or "", #first, first[1])
end

-- Sets to[k] for each column that a table of options calls; or nil, fault.
local function assign(to, path, first, by_column, value_of)
  for column, value in pairs(by_column or {}) do
    local found, fault = positions(path, first, column)
    if not found then return nil, fault end
    for _, k in ipairs(found) do to[k] = value_of(value) end
  end
  return true
end

-- Whether an option calls a column by a name that stands in the first row.
local function names_a_column(opts, first)
  for _, by_column in ipairs{opts.types or {}, opts.categories or {}} do
    for column in pairs(by_column) do
      if type(column) == "string" and find_all(first, column)[1] then return true end
    end
  end
  return false
end

--- What the options say of the columns: {header=, kinds=, categories=}; or nil, fault.
-- @param first list of strings: the first row, or the columns' names
function M.said(path, first, opts)
  local plan = {header = opts.header, kinds = {}, categories = {}}
  if plan.header == nil and names_a_column(opts, first) then plan.header = true end
  local ok, fault = assign(plan.kinds, path, first, opts.categories,
    function() return "category" end)
  if ok then ok, fault = assign(plan.kinds, path, first, opts.types, function(v) return v end) end
  if ok then
    ok, fault = assign(plan.categories, path, first, opts.categories, function(v) return v end)
  end
  return ok and plan, fault
end

-- ---- what was read ----

local function is_unnamed(name) return name == "" or name:find "^Unnamed: 0" ~= nil end

local function name_of(first, header, k)
  if not header or first[k] == "" then return ("column_%d"):format(k) end
  return first[k]
end

-- Whether a column counts the rows, from 0 or 1.
local function counts_rows(column, rows)
  if column.kind ~= "number" or rows < 3 or column.numbers ~= rows then return false end
  local start = column.values:narrow(1, 1, 1):item()
  if start ~= 0 and start ~= 1 then return false end
  local count = core.arange(0, rows - 1):real() + start
  return (column.values - count):abs():max():item() == 0
end

-- Whether a column that has no name only tells the rows apart, as pandas and R write them.
local function tells_rows(column, rows)
  if column.kind == "category" then return #column.categories == rows end
  return counts_rows(column, rows)
end

local function make_column(name, c)
  return {name = name, kind = c.kind, values = c.values, categories = c.categories}
end

-- What was rounded in a column of numbers, for notices; nil if nothing was.
local function rounded(name, c)
  if c.kind ~= "number" or c.rounded == 0 then return nil end
  return {name = name, count = c.rounded, line = c.rounded_line, text = c.rounded_text,
          to = c.rounded_to}
end

local function duplicate(path, names, name, k, opts)
  local hint = opts.hint and "" or (' (types = {[%d] = "ignore"} leaves the second out)'):format(k)
  return malformed(path, "columns %d and %d are both called '%s'%s", names[name], k, name, hint)
end

-- The columns of a table that was read, in the file's order, and what was found about them; or nil,
-- fault.
local function gather(path, first, t, opts)
  local columns, places, found = {}, {}, {counting = nil, index = nil, mixed = {}, rounded = {}}
  for k, c in ipairs(t) do
    local name = name_of(first, t.header, k)
    if c and k == 1 and t.header and is_unnamed(first[1]) and tells_rows(c, t.rows) then
      found.index, c = true, false
    elseif c and t.header and first[k] == "" and c.numbers + c.texts == 0 then
      c = false -- behind a delimiter at the end of each line
    end
    if c then
      if places[name] then return duplicate(path, places, name, k, opts) end
      places[name] = k
      columns[#columns + 1] = make_column(name, c)
      found.rounded[#found.rounded + 1] = rounded(name, c)
      if k == 1 and counts_rows(c, t.rows) then found.counting = name end
      if c.kind == "category" and c.texts > 0 and c.numbers > 9 * c.texts then
        found.mixed[#found.mixed + 1] = {name = name, line = c.text_line, text = c.text,
                                         texts = c.texts, numbers = c.numbers}
      end
    end
  end
  if #columns == 0 then return malformed(path, "has no columns besides those left out") end
  return columns, found
end

-- ---- reading ----

-- Columns as they are found, or said by types= and categories=.
local function read_own(path, text, opts)
  local first, _, separator, decimal = text:first()
  local plan, fault = M.said(path, first, opts)
  if not plan then return nil, fault end
  local t
  t, fault = text:read(plan.header, plan.kinds, plan.categories, opts.missing or {})
  if not t then return nil, fault end
  local columns, found = gather(path, first, t, opts)
  if not columns then return nil, found end
  found.separator, found.decimal, found.header = separator, decimal, t.header
  found.columns, found.given = #first, plan.kinds
  local result = table_class.new(columns, t.rows, path)
  table_notice.say(path, result, found, opts)
  return result
end

-- Columns as another table has them.
local function read_like(path, text, opts)
  local first, all_names = text:first()
  local plan, fault = table_like.plan(path, first, all_names, opts)
  if not plan then return nil, fault end
  local t
  t, fault = text:read(plan.header, plan.kinds, plan.categories, opts.missing or {})
  if not t then return nil, fault end
  local columns = {}
  for _, row in ipairs(plan.order) do
    columns[#columns + 1] = make_column(row.name, t[row.at])
    table_notice.say_rounded(path, rounded(row.name, t[row.at]))
  end
  table_notice.say_absent(path, plan.absent)
  return table_class.new(columns, t.rows, path)
end

--- Reads a file; bnn.data.table documents it.
-- @param what string: the function, for messages
-- @return table of bnn.data.table; or nil, message
function M.read(what, path, opts)
  opts = M.checked(what, opts, M.SPEC)
  local text <close>, fault = core.csv_open(path, opts.separator, opts.decimal)
  if not text then return nil, fault end
  return (opts.like and read_like or read_own)(path, text, opts)
end

return M
