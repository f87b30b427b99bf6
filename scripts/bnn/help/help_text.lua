--- How help lays out its text: lines of 80 columns, names in columns, names with a sentence.
local M = {}

M.COLUMNS = 80

local function width_of(text) return utf8.len(text) or #text end

--- Breaks a text at spaces into lines.
-- @param width integer: the columns of a line; a longer word has a line of its own
-- @param first integer: those of the first line, default width
-- @return list of strings, at least one
function M.wrap(text, width, first)
  local lines, line = {}, ""
  for word in text:gmatch "%S+" do
    local room = #lines == 0 and first or width
    if line ~= "" and width_of(line) + 1 + width_of(word) > room then
      lines[#lines + 1], line = line, ""
    end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  return lines
end

--- Lays out names with a sentence each: the sentences in a column, broken within it.
-- @param rows list of {name, sentence}
-- @param widest integer: longer names have a line of their own; default 26
-- @return list of lists of lines, one for each row
function M.rows(rows, widest)
  widest = widest or 26
  local width, blocks = 0, {}
  for _, row in ipairs(rows) do
    if width_of(row[1]) <= widest then width = math.max(width, width_of(row[1])) end
  end
  local margin = (" "):rep(width + 4)
  for i, row in ipairs(rows) do
    local block, gap = {}, width - width_of(row[1])
    for k, line in ipairs(M.wrap(row[2], M.COLUMNS - width - 4)) do block[k] = margin .. line end
    if block[1] == margin then
      block[1] = "  " .. row[1]
    elseif gap >= 0 then
      block[1] = "  " .. row[1] .. (" "):rep(gap + 2) .. block[1]:sub(#margin + 1)
    else
      table.insert(block, 1, "  " .. row[1])
    end
    blocks[i] = block
  end
  return blocks
end

--- Lays out names with a sentence each, a line each: what is too long ends in three points.
-- @param rows list of {name, sentence}
-- @return list of lines
function M.short_rows(rows)
  local width, lines = 0, {}
  for _, row in ipairs(rows) do width = math.max(width, math.min(width_of(row[1]), 30)) end
  for i, row in ipairs(rows) do
    local name = row[1] .. (" "):rep(width - width_of(row[1]))
    local line = ("  %s  %s"):format(name, row[2])
    local is_long = width_of(line) > M.COLUMNS
    lines[i] = is_long and line:sub(1, utf8.offset(line, M.COLUMNS - 2) - 1) .. "..." or line
  end
  return lines
end

--- Lays out names in columns, read downwards.
-- @return list of lines
function M.columns(names)
  local width, lines = 0, {}
  for _, name in ipairs(names) do width = math.max(width, #name + 2) end
  local across = math.max(1, M.COLUMNS // math.max(width, 1))
  local down = (#names + across - 1) // across
  for row = 1, down do
    local line = {}
    for i = row, #names, down do line[#line + 1] = ("%-" .. width .. "s"):format(names[i]) end
    lines[row] = table.concat(line):gsub("%s+$", "")
  end
  return lines
end

-- Whether a line of C's texts begins a sentence: these have no full stops at the ends of lines.
local function begins_sentence(line) return line:find "^%u" ~= nil end

--- The first sentence of a documentation text, on one line: without the call that C's texts open
-- with, and without what follows it (parameters, examples).
-- @param entry table: {doc=, call=}
function M.summary(entry)
  local lines = {}
  for line in (entry.doc or ""):gmatch "[^\n]+" do
    if line:find "^@" or line:find "^%s%s" then break end
    if lines[1] and not entry.field and begins_sentence(line) then break end
    lines[#lines + 1] = line
  end
  local text = table.concat(lines, " ")
  if not entry.call then
    text = text:match "^[%w_.:]+%b(): (.*)" or text:match "^[%w_.:]+%b{}: (.*)" or text
    text = text:gsub("^[%w_.:]+%b(),? [%w_.:]+%b(): ", "") -- two calls
  end
  text = text:match "^(.-[^.])%.%s+[%u(`]" or text:match "^(.-[^.])%.$" or text
  return (text:gsub(": [%w ]*`[^`]*[=(].*$", ""):gsub("[:;,]$", "")) -- nor an example at its end
end

return M
