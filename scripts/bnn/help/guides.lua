--- Guides: the texts of scripts/help/, Markdown that is compiled into the program.
--
-- A guide opens with `# Title` and a paragraph of one sentence, its summary. What is in `code` may
-- name functions of the library; ```lua blocks run in tests/lua/help/test_examples.lua.
local help_text = require "bnn.help.help_text"
local strings = require "bnn.base.strings"

local M = {}

local PATH = "^help/([%w_]+)%.md$"

-- In the order in which help() lists them; guides that are not here follow by name.
local ORDER = {
  "start", "prompt", "data", "networks", "methods", "own", "uncertainty", "kl", "checkpoints",
  "runs", "sweeps", "search", "pruners", "keys", "shapes", "speed", "environment", "contributing",
}

-- Other words for a guide.
local ALIASES = {
  flags = "environment", variables = "environment", abstention = "uncertainty",
  randomness = "keys", seed = "keys", resume = "checkpoints", records = "runs", ledger = "runs",
  samplers = "search", spaces = "search", dtypes = "shapes", broadcasting = "shapes",
  layout = "contributing", pruning = "pruners", asha = "pruners", hyperband = "pruners",
  layers = "networks", containers = "networks", sweep = "sweeps", inference = "methods",
  posteriors = "methods",
}

-- Words for a section of a guide: its heading.
local SECTIONS = {
  completion = "Keys", timeit = "Commands", who = "Commands", edit = "Commands",
  session = "Commands",
  lua = "The library in the stock lua5.4", luarocks = "The library in the stock lua5.4",
  busted = "Tests with busted and luaunit", lpeg = "Lua modules of others",
}

local function loader()
  local ok, module = pcall(require, "bnn.loader")
  return ok and module or {list = function() return {} end}
end

-- What a guide's source says of itself.
local function read(name, source)
  local title, summary = source:match "^# ([^\n]+)\n\n(.-)\n\n"
  return {name = name, text = source, title = title or name,
          summary = (summary or ""):gsub("%s+", " "):gsub("%.$", "")}
end

local function place(name)
  for i, known in ipairs(ORDER) do
    if known == name then return i end
  end
  return #ORDER + 1
end

--- Every guide, in the order to read them: {name=, title=, summary=, text=}.
function M.list()
  local scripts, guides = loader(), {}
  for _, script in ipairs(scripts.list()) do
    local name = script.name:match(PATH)
    local source = name and scripts.source(script.name)
    if source then guides[#guides + 1] = read(name, source) end
  end
  table.sort(guides, function(a, b)
    local i, k = place(a.name), place(b.name)
    if i ~= k then return i < k end
    return a.name < b.name
  end)
  return guides
end

--- The guide of a name or of one of its other names, or nil.
function M.find(guides, name)
  name = strings.lower(name)
  for _, guide in ipairs(guides) do
    if guide.name == name or guide.name == ALIASES[name] then return guide end
  end
end

-- A paragraph without Markdown's links and quotes of code: links to guides become help "NAME",
-- others keep their address.
local function plain(text)
  text = text:gsub("%[([^%]]+)%]%(([%w_]+)%.md%)", function(words, name)
    return words == name and ('help "%s"'):format(name) or ('%s (help "%s")'):format(words, name)
  end)
  text = text:gsub("%[([^%]]+)%]%((%a+://[^)]+)%)", "%1 <%2>")
  return (text:gsub("%[([^%]]+)%]%(([^)]+)%)", "%1 (%2)"):gsub("`", ""))
end

-- Whether a line begins a paragraph or an item of a list; its mark ("- ", "1. ", "") and its text.
local function item(line)
  local mark, text = line:match "^(%-%s+)(.*)"
  if not mark then mark, text = line:match "^(%d+%.%s+)(.*)" end
  return mark or "", text or line, mark ~= nil
end

-- Adds the lines of a paragraph or an item.
local function lay_out(paragraph, lines)
  local hanging = (" "):rep(#paragraph.mark)
  local width = help_text.COLUMNS - #paragraph.mark
  for k, line in ipairs(help_text.wrap(plain(table.concat(paragraph, " ")), width)) do
    lines[#lines + 1] = (k == 1 and paragraph.mark or hanging) .. line
  end
end

-- How a line outside of a fence is shown as it stands, or nil if it is part of a paragraph.
local function verbatim(line)
  local hashes, heading = line:match "^(#+) (.*)"
  if heading then
    local rule = (#hashes == 1 and "=" or "-"):rep(utf8.len(heading) or #heading)
    return heading .. "\n" .. rule
  end
  if line == "" or line:find "^    " or line:find "^|" then return line end
end

-- Whether a heading's text is what is asked for, in small letters and without marks of code.
local function is_heading(text, asked)
  return strings.lower(text:gsub("[`\"]", "")) == asked
end

-- The text of a guide from a heading of that name to the next of its level or above, or nil.
local function section_text(guide, asked)
  local level, lines = nil, {}
  for line in guide.text:gmatch "([^\n]*)\n" do
    local hashes, heading = line:match "^(#+) (.*)"
    if level and hashes and #hashes <= level then break end
    if heading and not level and is_heading(heading, asked) then level = #hashes end
    if level then lines[#lines + 1] = line end
  end
  return level and table.concat(lines, "\n") .. "\n"
end

--- The section under a heading of a guide, as a terminal shows it, or nil if no guide has it.
-- @param asked string: the heading, in letters of any case, or a word for it (timeit)
-- @return list of lines
function M.section(guides, asked)
  asked = strings.lower(SECTIONS[asked] or asked)
  for _, guide in ipairs(guides) do
    local text = section_text(guide, asked)
    if text then
      local lines = M.lines({text = text})
      while lines[#lines] == "" do lines[#lines] = nil end
      lines[#lines + 1] = ""
      lines[#lines + 1] = ('From help "%s": %s.'):format(guide.name, guide.title)
      return lines
    end
  end
end

--- A guide as a terminal shows it: headings underlined, paragraphs broken at 80 columns, code
-- indented by two spaces.
-- @return list of lines
function M.lines(guide)
  local lines, paragraph, in_code = {}, nil, false
  local function add(line)
    if paragraph then lay_out(paragraph, lines) end
    paragraph, lines[#lines + 1] = nil, line
  end
  for line in guide.text:gmatch "([^\n]*)\n" do
    local is_fence = line:find "^```" ~= nil
    local shown = not in_code and verbatim(line)
    if is_fence then
      in_code = not in_code
    elseif in_code then
      add(line == "" and "" or "  " .. line)
    elseif shown then
      add(shown)
    else
      local mark, text, is_item = item(line)
      if is_item or not paragraph then
        add()
        paragraph = {mark = mark, text}
      else
        paragraph[#paragraph + 1] = text
      end
    end
  end
  add()
  return lines
end

return M
