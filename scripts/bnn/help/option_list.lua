--- Reads lists of options in documentation texts: rows of a table, and name= in running text.
--
--     opts table:
--       steps            number of steps
--       checkpoint       table:
--         path, every=1000  folder, steps between two checkpoints
--     opts table: key=, required; num_samples=1
local M = {}

local function margin_of(line) return #line:match "^%s*" end

local function trim(text) return (text:gsub("^%s+", ""):gsub("%s+$", "")) end

-- ---- names ----

-- The value at the start of a text, as code: {a, b}, "text", 1e-3; "" where there is none.
local function value_at(text)
  return text:match "^%b{}" or text:match '^"[^"]*"' or text:match "^%b()"
    or (text:match "^[^%s,;]*" or ""):gsub("[.:)]+$", "")
end

-- "path, every=1000, keep=3", "posterior or params" as a list of {name=, default=}; nil if a part
-- is no name.
local function names_in(head)
  local names, at = {}, 1
  repeat
    local name, after = head:match("^%s*([%a_][%w_]*)()", at)
    if not name then return nil end
    local value = head:sub(after, after) == "=" and value_at(head:sub(after + 1)) or nil
    if value then after = after + 1 + #value end
    names[#names + 1] = {name = name, default = value ~= "" and value or nil}
    local rest = head:sub(after)
    local separator = rest:match "^%s*,%s*" or rest:match "^%s+or%s+"
    if rest:find "^%s*$" then return names end
    if not separator then return nil end
    at = after + #separator
  until false
end

-- ---- rows ----

-- The column at which the texts of rows of one margin start: that of the first row that has two
-- spaces before its text, or of a line that goes on with one.
local function text_column(lines, from, margin)
  for i = from, #lines do
    local line = lines[i]
    local this = margin_of(line)
    if this < margin and line ~= "" then break end
    local head = this == margin and line:match "^%s*%S.-%s%s+%f[%S]"
    if head then return #head end
  end
  for i = from + 1, #lines do
    local this = margin_of(lines[i])
    if this < margin then break end
    if this > margin + 2 then return this end
  end
end

-- The names that a line starts with, where they reach beyond the column: "probability, class_std
-- [n]"; nil where they do not.
local function wide_head(line, margin, column)
  local at = line:match("^[%a_][%w_]*()", margin + 1)
  while at and line:find("^, [%a_]", at) do at = line:match("^, [%a_][%w_]*()", at) end
  if at and column and at > column and line:find("^%s", at) then
    return line:sub(margin + 1, at - 1), trim(line:sub(at))
  end
end

-- Splits a row at its two spaces, or at the column of the table's texts.
local function split_row(line, margin, column)
  local head, text = line:match "^%s*(%S.-)%s%s+(%S.*)$"
  if head then return head, text end
  local has_gap = column and line:sub(column, column):find "^%s?$" and line:sub(margin + 1, column)
  if has_gap and names_in(trim(has_gap)) then return trim(has_gap), trim(line:sub(column + 1)) end
  if names_in(line) then return trim(line), "" end -- names that need no text: "key, step"
  return wide_head(line, margin, column)
end

-- Whether a row below `last` lists options of it: its margin is between that and the texts' column.
local function is_nested(line, last, margin, column)
  local this = margin_of(line)
  return last ~= nil and this > margin and (not column or this < column)
    and last.text:find ":$" ~= nil
end

local read_rows

-- Adds the options of one row; those below it follow.
local function add_row(options, line, margin, column)
  local head, text = split_row(line, margin, column)
  local names = head and names_in(head)
  if not names then return false end
  for k, option in ipairs(names) do
    option.text = k == #names and text or ""
    option.shares = k < #names
    options[#options + 1] = option
  end
  return true
end

-- Text below a row is the row's; before any row it has no name.
local function go_on(options, text)
  if not options[1] then options[1] = {name = "", text = ""} end
  local last, more = options[#options], trim(text)
  local is_sentence = more:find "^%u%l* " and last.text:find "[^.,:;]$"
  last.text = trim(last.text .. (is_sentence and ". " or " ") .. more)
end

-- The options of the rows from line `i` on that have its margin, and the line after them.
function read_rows(lines, i)
  local margin, options = margin_of(lines[i]), {}
  local column = text_column(lines, i, margin)
  while lines[i] and margin_of(lines[i]) >= margin do
    local line, last = lines[i], options[#options]
    if margin_of(line) == margin then
      if not add_row(options, line, margin, column) then go_on(options, line) end
      i = i + 1
    elseif is_nested(line, last, margin, column) then
      last.options, i = read_rows(lines, i)
    else
      go_on(options, line)
      i = i + 1
    end
  end
  return options, i
end

-- ---- running text ----

-- The text with what is in brackets or quotes blanked, so that names within are not seen.
local function outside(text)
  local function blank(part) return (" "):rep(#part) end
  return (text:gsub("%b{}", blank):gsub("%b[]", blank):gsub("%b()", blank):gsub('"[^"]*"', blank))
end

-- name= in a text, outside of brackets: {name=, default=, text=}, options within a default's table.
local function read_inline(text)
  local seen, options, starts = outside(text), {}, {}
  for at, name in seen:gmatch "()%f[%w_]([%a_][%w_]*)=" do
    starts[#starts + 1] = {at = at, name = name}
  end
  for i, start in ipairs(starts) do
    local rest = text:sub(start.at + #start.name + 1, (starts[i + 1] or {at = 0}).at - 1)
    local value = value_at(rest)
    local about = rest:sub(#value + 1):gsub("^[,;:]%s*", ""):gsub("[,;%s]+$", "")
    local inner = value:find "^{.*=" and read_inline(value:sub(2, -2)) or nil
    options[i] = {name = start.name, default = value ~= "" and not inner and value or nil,
                  text = trim((about:gsub("%s+and$", ""):gsub("%s+or$", ""))), options = inner}
  end
  return options[1] and options
end

-- ---- both ----

-- Where in the text of a row another option starts, "...; gap=1 pixels"; nil if none does.
local function next_inline(text)
  local seen = outside(text)
  local at = seen:match "^()[%a_][%w_]*=" or seen:match "[;,.)] ()[%a_][%w_]*="
  return at
end

-- The options of rows, those in the texts of rows after them; names that share a text all get it.
local function settle(options)
  local all = {}
  for i = #options, 1, -1 do
    local option = options[i]
    if option.shares then option.text = options[i + 1].text end
    option.shares = nil
    if option.options then option.options = settle(option.options) end
  end
  for _, option in ipairs(options) do
    local at = next_inline(option.text)
    local more = at and read_inline(option.text:sub(at)) or {}
    if at then option.text = trim(option.text:sub(1, at - 1)):gsub("[;,]$", "") end
    if option.name ~= "" then all[#all + 1] = option end
    for _, other in ipairs(more) do all[#all + 1] = other end
  end
  return all
end

local function go_on_lines(lines, to)
  local text = {}
  for i = 1, to do text[i] = trim(lines[i]) end
  return table.concat(text, " ")
end

-- The first line of a list of rows: below a text that ends in a colon, or where it starts again.
local function first_row(lines)
  for i = 2, #lines do
    if lines[i - 1]:find ":%s*$" and margin_of(lines[i]) >= 2 then return i end
  end
end

--- Reads what follows `@param opts` or `@return`.
-- @param lines list of strings: the rest of the tag's line, and those below it
-- @return list of options, or nil where the text lists none; the text without rows; and rows of
--   {name, text}, or nil, where it lists something else than options below a line without a colon
function M.read(lines)
  local from = first_row(lines)
  if from then
    local options = settle((read_rows(lines, from)))
    return options[1] and options, go_on_lines(lines, from - 1)
  end
  if (lines[2] or ""):find "^  %S.-%s%s+%S" then
    return nil, go_on_lines(lines, 1), (M.table_rows(lines, 2))
  end
  local text = go_on_lines(lines, #lines)
  local braced = text:match "^%b{}" or text:match "^table:? (%b{})"
  if braced then return read_inline(braced:sub(2, -2)) or nil, text end
  return text:find "^table" and read_inline(text) or nil, text
end

--- Reads the rows of a table that stands in a text: a row is a name, two spaces, and what it is.
-- @return list of {name, text}; the number of the line after the table
function M.table_rows(lines, from)
  local margin, rows, i = margin_of(lines[from]), {}, from
  while lines[i] and margin_of(lines[i]) >= margin and lines[i]:find "%S" do
    local head, text = lines[i]:match "^%s*(%S.-)%s%s+(%S.*)$"
    if margin_of(lines[i]) == margin or not rows[1] then
      rows[#rows + 1] = {head or "", text or trim(lines[i])}
    else
      local last = rows[#rows]
      last[2] = last[2] .. " " .. trim(lines[i])
    end
    i = i + 1
  end
  return rows, i
end

return M
