--- Reads the text of a documentation entry into its parts, for pages, editors and checks.
--
-- The parts are what docstrings.lua says of a text: prose, code indented by four spaces, tables
-- indented by two, then `@param name type: text`, `@return text`, and prose again ("Raises ..."). A
-- parameter that is a table of options lists them as rows below it ("name  text", "a, b=1000
-- text"), rows within rows being options of the option above, or in its text ("table: key=,
-- required; num_samples=1"). Texts of C open with their calls ("zeros(n, m, ...): a tensor").
local help_text = require "bnn.help.help_text"
local option_list = require "bnn.help.option_list"
local references = require "bnn.help.references"

local M = {}

-- ---- lines into sections ----

local function trim(text) return (text:gsub("^%s+", ""):gsub("%s+$", "")) end

-- The lines of a text as {kind = "text" | "code" | "param" | "return", lines...}; code
-- is what is indented by four spaces before the first @.
local function sections_of(doc)
  local sections, now, in_tags = {}, nil, false
  local function open(kind, line)
    now = {kind = kind, line}
    sections[#sections + 1] = now
  end
  for line in (doc .. "\n"):gmatch "([^\n]*)\n" do
    local tag, rest = line:match "^@(%a+)%s*(.*)"
    in_tags = in_tags or tag ~= nil
    local kind = not in_tags and line:find "^    " and "code"
      or in_tags and line:find "^%s%s" and now.kind or "text"
    if tag then
      open(tag, rest)
    elseif now and now.kind == kind then
      now[#now + 1] = line
    else
      open(kind, line)
    end
  end
  return sections
end

-- ---- calls ----

local BRACKETS = {"^([%w_.:]+%b())", "^([%w_.:]+%b{})"}

-- The calls that a text of C's opens with, and the text after them.
local function opening_calls(doc)
  local calls, rest = {}, doc
  repeat
    local call
    for _, pattern in ipairs(BRACKETS) do call = call or rest:match(pattern) end
    local after = call and rest:sub(#call + 1)
    local mark = after and after:match "^[,:]%s"
    if not mark then break end
    calls[#calls + 1], rest = call, after:sub(#mark + 1)
    if mark:sub(1, 1) == ":" then return calls, rest end
  until false
  return {}, doc
end

-- A call under the public name: zeros(n) of bnn.zeros, sum(x) of x:sum as bnn.sum(x).
local function public_call(name, call)
  if call:find "^[%w_]+[.:]" then return call end
  local owner = name:match "^(.*%.)[%w_]+$" or name:find "^x:" and "bnn." or ""
  return owner .. call
end

local function calls_of(entry)
  local doc = entry.doc or ""
  if entry.call then return {entry.call}, doc end
  local calls, rest = opening_calls(doc)
  for i, call in ipairs(calls) do calls[i] = public_call(entry.name, call) end
  return calls, rest
end

-- ---- sentences ----

-- The lines of a text as prose: of C's, which have no full stops, a line that starts with a capital
-- is a sentence of its own.
local function prose(lines, is_of_c)
  local parts = {}
  for i, line in ipairs(lines) do
    local before = parts[#parts]
    if is_of_c and i > 1 and line:find "^%u" and not before:find "[.:;,]$" then
      parts[#parts] = before .. "."
    end
    parts[#parts + 1] = trim(line)
  end
  return trim(table.concat(parts, " "))
end

-- Calls f with each sentence of a text.
local function each_sentence(text, f)
  for sentence in (text:gsub("%.%s+(%u)", ".\n%1") .. "\n"):gmatch "(.-)\n" do
    if sentence ~= "" then f(sentence) end
  end
end

local function add_errors(errors, text)
  each_sentence(text, function(sentence)
    local raises = sentence:find "%f[%a][Rr]aises%f[%A]" or sentence:find "is an error%f[%A]"
      or sentence:find "nil, message"
    if raises then errors[#errors + 1] = sentence end
  end)
end

-- ---- the parts ----

-- Blocks before the first tag: {kind = "text", text=}, {kind = "code", text=}, {kind = "rows",
-- rows = {{name, text}, ...}}.
local function add_blocks(blocks, section, is_of_c)
  if section.kind == "code" then
    for i, line in ipairs(section) do section[i] = line:gsub("^    ", "") end
    blocks[#blocks + 1] = {kind = "code", text = table.concat(section, "\n")}
    return
  end
  local lines = {}
  local function flush(kind, rows)
    if kind == "rows" then
      blocks[#blocks + 1] = {kind = "rows", rows = rows}
    elseif lines[1] then
      blocks[#blocks + 1] = {kind = "text", text = prose(lines, is_of_c)}
    end
    lines = {}
  end
  local i = 1
  while section[i] do
    if section[i]:find "^%s*$" then
      flush()
    elseif section[i]:find "^  %S" then
      flush()
      local rows, after = option_list.table_rows(section, i)
      flush("rows", rows)
      i = after - 1
    else
      lines[#lines + 1] = section[i]
    end
    i = i + 1
  end
  flush()
end

-- The names that a line starts with, "x" or "lower, upper", and the rest of it.
local function names_of(line)
  local names, rest = {}, line
  repeat
    local name, after = rest:match "^(%S+)%s*(.*)$"
    if not name then break end
    names[#names + 1], rest = name:gsub(",$", ""), after
  until not name:find ",$"
  return names, rest
end

-- "opts table: key=, required" with the lines below it, as a parameter for each name.
local function add_parameters(params, section)
  local names, rest = names_of(section[1])
  local lines = table.move(section, 2, #section, 2, {rest})
  local options, text, rows = option_list.read(lines)
  for _, name in ipairs(names) do
    params[#params + 1] = {name = name, text = trim(text), options = options, rows = rows}
  end
end

local function result(section)
  local lines = table.move(section, 1, #section, 1, {})
  local options, text, rows = option_list.read(lines)
  return {text = trim(text), options = options, rows = rows}
end

local readers = {
  param = function(fields, section) add_parameters(fields.params, section) end,
  ["return"] = function(fields, section) table.insert(fields.returns, result(section)) end,
}

local function collect(fields, sections, is_of_c)
  for i, section in ipairs(sections) do
    local read = readers[section.kind]
    if read then
      read(fields, section)
    elseif section.kind == "text" or section.kind == "code" then
      local is_after = fields.params[1] or fields.returns[1]
      local blocks = is_after and fields.notes or fields.blocks
      add_blocks(blocks, section, is_of_c and i == 1)
    end
    if section.kind ~= "code" then add_errors(fields.errors, prose(section, is_of_c)) end
  end
end

-- The parameters of a text that opens with a call in braces, adam{lr=1e-3}, are options of its one
-- argument.
local function gather_options(fields)
  local call = fields.calls[1] or ""
  if not fields.params[1] or not call:find "%b{}$" then return end
  for _, param in ipairs(fields.params) do
    param.default = call:match("%f[%w_]" .. param.name .. "=([^,}]+)")
      or param.text:match "(%S+) by default"
  end
  fields.params = {{name = "opts", text = "table", options = fields.params}}
end

--- Reads an entry.
--     local help = require "bnn.help.help"
--     local fields = entry_fields.read(help.entries(bnn)[2])
-- @param entry table: {name=, doc=, call=, field=} as help.entries gives it
-- @return table:
--   calls     list of strings: how it is called, under public names; empty for a module
--   summary   its first sentence
--   blocks    the text before the first tag: a list of {kind="text", text=}, {kind="code", text=}
--             and {kind="rows", rows=}, rows being a list of {name, text}
--   params    list of {name=, text=, options=, rows= other rows below it}; an option is {name=,
--             default= a text or nil, text=, options=}
--   returns   list of {text=, options=, rows=}
--   notes     blocks after the tags
--   errors    list of sentences: what raises, or returns nil and a message
--   examples  list of texts: the code among the blocks
--   sources   list of what is cited, in full, as bnn.help.references has it
function M.read(entry)
  local calls, rest = calls_of(entry)
  local fields = {calls = calls, summary = help_text.summary(entry), blocks = {}, params = {},
                  returns = {}, notes = {}, errors = {}, examples = {},
                  sources = references.cited(entry.doc or "")}
  collect(fields, sections_of(rest), not entry.field)
  gather_options(fields)
  for _, list in ipairs{fields.blocks, fields.notes} do
    for _, block in ipairs(list) do
      if block.kind == "code" then table.insert(fields.examples, block.text) end
    end
  end
  return fields
end

return M
