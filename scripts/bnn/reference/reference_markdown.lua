--- Guides as markup: the Markdown that scripts/help has, which is headings, paragraphs, lists,
-- tables, code in fences and code that is indented.
local html = require "bnn.html.html"
local prose = require "bnn.reference.reference_prose"

local M = {}

local element = html.element

--- The anchor of a heading: its words in small letters.
function M.anchor(heading)
  local words = heading:lower():gsub("[^%w]+", "-"):gsub("^%-+", ""):gsub("%-+$", "")
  return words
end

-- ---- lines into blocks ----

-- Reads the block that starts at line i: {kind=, ...} and the line after it.
local readers = {}

function readers.fence(lines, i)
  local block = {kind = "code", language = lines[i]:match "^```(%a*)", line = i}
  i = i + 1
  while lines[i] and not lines[i]:find "^```" do
    block[#block + 1] = lines[i]
    i = i + 1
  end
  return block, i + 1
end

function readers.heading(lines, i)
  local marks, text = lines[i]:match "^(#+) (.*)"
  return {kind = "heading", level = #marks, text = text}, i + 1
end

function readers.indented(lines, i)
  local block = {kind = "code", language = "", line = i}
  local function is_code(k) return (lines[k] or ""):find "^    " ~= nil end
  while is_code(i) or lines[i] == "" and is_code(i + 1) do
    block[#block + 1] = lines[i]:sub(5)
    i = i + 1
  end
  return block, i
end

function readers.table(lines, i)
  local block = {kind = "table"}
  while lines[i] and lines[i]:find "^|" do
    block[#block + 1] = lines[i]
    i = i + 1
  end
  return block, i
end

local function item_of(line)
  local text = line:match "^%-%s+(.*)"
  if text then return text, "ul" end
  text = line:match "^%d+%.%s+(.*)"
  if text then return text, "ol" end
end

function readers.list(lines, i)
  local _, kind = item_of(lines[i])
  local block = {kind = kind}
  while lines[i] and lines[i] ~= "" do
    local text = item_of(lines[i])
    if text then
      block[#block + 1] = text
    elseif lines[i]:find "^%s" then
      block[#block] = block[#block] .. " " .. lines[i]:match "^%s*(.*)"
    else
      break
    end
    i = i + 1
  end
  return block, i
end

function readers.paragraph(lines, i)
  local words = {}
  while lines[i] and lines[i] ~= "" and not lines[i]:find "^```" and not lines[i]:find "^#"
    and not (words[1] and item_of(lines[i])) do
    words[#words + 1] = lines[i]
    i = i + 1
  end
  return {kind = "p", text = table.concat(words, " ")}, i
end

local function kind_of(line)
  if line:find "^```" then return "fence" end
  if line:find "^#+ " then return "heading" end
  if line:find "^    " then return "indented" end
  if line:find "^|" then return "table" end
  return item_of(line) and "list" or "paragraph"
end

--- The blocks of a text.
-- @return list of {kind = "heading", level=, text=}, {kind = "p", text=}, {kind = "ul" or "ol",
--   items...}, {kind = "table", lines...}, {kind = "code", language=, line=, lines...}
function M.blocks(text)
  local lines, blocks, i = {}, {}, 1
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  while lines[i] do
    if lines[i] == "" then
      i = i + 1
    else
      blocks[#blocks + 1], i = readers[kind_of(lines[i])](lines, i)
    end
  end
  return blocks
end

-- ---- blocks into markup ----

local writers = {}

function writers.heading(block, ctx)
  if block.level == 1 then return nil end -- the page's own title
  local id = M.anchor(block.text)
  return element("h" .. math.min(block.level, 4), {id = id}, prose.prose(block.text, ctx))
end

function writers.p(block, ctx) return element("p", nil, prose.prose(block.text, ctx)) end

local function list(block, ctx)
  local items = {}
  for i, text in ipairs(block) do items[i] = element("li", nil, prose.prose(text, ctx)) end
  return element(block.kind, nil, items)
end
writers.ul, writers.ol = list, list

local function cells(line, tag, ctx)
  local row = {}
  for cell in line:gsub("^|", ""):gmatch "([^|]*)|" do
    row[#row + 1] = element(tag, nil, prose.prose(cell:match "^%s*(.-)%s*$", ctx))
  end
  return element("tr", nil, row)
end

function writers.table(block, ctx)
  local rows = {}
  for i = 3, #block do rows[#rows + 1] = cells(block[i], "td", ctx) end
  return element("div", {class = "wide"}, element("table", nil,
    element("thead", nil, cells(block[1], "th", ctx)), element("tbody", nil, rows)))
end

-- Whether code without a language is Lua: the guides indent both it and tables of text.
local function is_lua(block, text)
  return block.language == "lua"
    or block.language == "" and (text:find "^local " or text:find "^bnn%." or text:find "\nlocal ")
end

function writers.code(block, ctx)
  local text = table.concat(block, "\n")
  local shown = is_lua(block, text) and prose.code(text, ctx) or prose.verbatim(text)
  return html.list{shown, ctx.after_code and ctx.after_code(block.line) or nil}
end

--- A guide's text, without its title.
-- @param ctx as of reference_prose; after_code= function(line) -> markup behind the code of a line,
--   or nil
-- @return markup
function M.render(text, ctx)
  local parts = {}
  for _, block in ipairs(M.blocks(text)) do
    parts[#parts + 1] = writers[block.kind](block, ctx) or nil
  end
  return html.list(parts)
end

return M
