--- Lays a documentation text out for a terminal: its paragraphs and tables broken anew.
--
-- A row of a table is a line that has two spaces or more after its first words, or below which
-- lines stand further in; its text goes on in these. Below a row, a line of the row's margin is a
-- row too. Other lines of one margin are a paragraph. What is indented by four spaces before the
-- first @ is code and stays as it is.
local help_text = require "bnn.help.help_text"

local M = {}

local function margin_of(line) return line and #line:match "^%s*" or 0 end

-- A block that starts with a line: its margin, its head (what of a row stands before the text), the
-- column of its text's further lines, its text.
local function start(line, below, in_table)
  local margin, inside = margin_of(line), margin_of(below)
  local text = line:sub(margin + 1)
  local head = text:match "^(%S.-%s%s+)%S"
  local at = inside > margin and text:sub(inside - margin, inside - margin) == " "
  if not head and at then head = text:sub(1, inside - margin) end
  if head then
    return {is_row = true, margin = margin, at = margin + #head, head = head, text:sub(#head + 1)}
  end
  local is_param = text:find "^@" ~= nil
  if in_table or inside > margin + 2 then
    return {is_row = true, margin = margin, at = math.max(inside, margin + 2), head = "", text}
  end
  return {margin = margin, at = margin + (is_param and 2 or 0), head = "", text}
end

-- Whether a line goes on with a block's text.
local function continues(block, line, below, is_of_c)
  if not block or line:find "^%s*@" or block[1]:find ":$" then return false end
  if margin_of(line) ~= block.at then return false end
  if block.is_row then return true end
  local is_row = line:find "^%s*%S.-%s%s+%S" or margin_of(below) > margin_of(line) + 2
  return not is_row and not (is_of_c and line:find "^%u")
end

local function lay_out(block, width, add)
  local hanging = (" "):rep(block.at)
  local first = (" "):rep(block.margin) .. block.head
  for k, line in ipairs(help_text.wrap(block[1], width - block.at, width - #first)) do
    add((k == 1 and first or hanging) .. line)
  end
end

--- The lines of a text.
-- @param doc string
-- @param width integer: columns
-- @param is_of_c boolean: whether a line that starts with a capital starts a sentence, as in the
--   texts of C, which have no full stops
-- @return list of strings
function M.lines(doc, width, is_of_c)
  local source, lines, block, in_params = {}, {}, nil, false
  local function add(line) lines[#lines + 1] = line end
  for line in doc:gmatch "[^\n]+" do source[#source + 1] = line end
  local function is_code(line) return not in_params and line and line:find "^    " ~= nil end
  for i, line in ipairs(source) do
    in_params = in_params or line:find "^@" ~= nil
    local below = not is_code(source[i + 1]) and source[i + 1] or nil
    if not is_code(line) and continues(block, line, below, is_of_c) then
      block[1] = block[1] .. " " .. line:match "^%s*(.*)$"
    else
      if block then lay_out(block, width, add) end
      local in_table = block and block.is_row and block.margin == margin_of(line)
      block = not is_code(line) and start(line, below, in_table) or nil
      if not block then add(line) end
    end
  end
  if block then lay_out(block, width, add) end
  return lines
end

return M
