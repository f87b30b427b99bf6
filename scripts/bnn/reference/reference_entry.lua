--- What a page of the reference says of one entry: its calls, text, parameters, results, examples
-- with what they print, sources, and what to look at besides.
local entry_fields = require "bnn.help.entry_fields"
local entry_text = require "bnn.help.entry_text"
local html = require "bnn.html.html"
local prose = require "bnn.reference.reference_prose"

local M = {}

local element = html.element

-- ---- examples ----

--- The code of an entry's examples as one text, as they run; nil where it has none.
function M.example(entry)
  local examples = entry_fields.read(entry).examples
  return examples[1] and table.concat(examples, "\n")
end

--- What an example printed, or why there is nothing.
-- @param result {output=, differs=} or {fault=}, as example_runner gives it, or nil
-- @return markup, or nil
function M.output(result)
  if not result then return nil end
  if result.fault then
    return element("p", {class = "note"}, "Not run here: ", result.fault)
  end
  if result.output == "" then return nil end
  local label = element("span", {class = "label"},
    result.differs and "prints, another time otherwise" or "prints")
  return element("div", {class = "output"}, label, prose.verbatim(result.output))
end

-- ---- lists ----

local options_list

local function rows_of(rows, ctx)
  local list = {}
  for i, row in ipairs(rows) do
    list[i] = {element("dt", nil, prose.prose(row[1], ctx)),
               element("dd", nil, prose.prose(row[2], ctx))}
  end
  return element("dl", nil, list)
end

-- Names of parameters or options that share a text, each with its default behind it.
local function term(items, from, to)
  local names = {}
  for i = from, to do
    local default = items[i].default and " = " .. items[i].default or ""
    names[#names + 1] = {i > from and ", ", element("code", nil, items[i].name, default)}
  end
  return element("dt", nil, names)
end

-- The last of the items from `from` on that have one text.
local function last_alike(items, from)
  local to = from
  while items[to + 1] and items[to + 1].text == items[from].text and items[from].text ~= ""
    and not items[to].options do
    to = to + 1
  end
  return to
end

-- Whether the options say something besides their names.
local function has_texts(options)
  for _, option in ipairs(options or {}) do
    if option.text ~= "" or option.default or option.options then return true end
  end
  return false
end

-- The text of an item without what its list of options says: "table: the sizes; activation=..." is
-- "the sizes".
local function lead_of(item)
  if not has_texts(item.options) then return item.text end
  local at = item.text:find("%f[%w_]" .. item.options[1].name .. "=")
  local text = at and not item.text:find "^{" and item.text:sub(1, at - 1) or item.text
  return (text:gsub("^table:?%s*", ""):gsub("[:;,]%s*$", ""))
end

local function described(item, ctx)
  local text, list = lead_of(item), nil
  if has_texts(item.options) then list = options_list(item.options, ctx) end
  return element("dd", nil, text ~= "" and prose.prose(text, ctx), list,
    item.rows and rows_of(item.rows, ctx))
end

function options_list(items, ctx)
  local rows, i = {}, 1
  while items[i] do
    local to = last_alike(items, i)
    rows[#rows + 1] = {term(items, i, to), described(items[to], ctx)}
    i = to + 1
  end
  return element("dl", {class = "options"}, rows)
end

-- ---- parts ----

local writers = {
  text = function(block, ctx) return element("p", nil, prose.prose(block.text, ctx)) end,
  code = function(block, ctx) return prose.code(block.text, ctx) end,
  rows = function(block, ctx) return rows_of(block.rows, ctx) end,
}

-- Blocks of a text; what the examples print is behind the last of them.
local function blocks_of(blocks, ctx, result)
  local parts, last = {}, 0
  for i, block in ipairs(blocks) do
    if block.kind == "code" then last = i end
  end
  for i, block in ipairs(blocks) do
    parts[#parts + 1] = writers[block.kind](block, ctx)
    if i == last then parts[#parts + 1] = M.output(result) end
  end
  return parts
end

local function params_of(fields, ctx)
  if not fields.params[1] then return nil end
  return {element("h4", nil, "Parameters"), options_list(fields.params, ctx)}
end

local function returns_of(fields, ctx)
  local parts = {}
  for i, result in ipairs(fields.returns) do
    parts[i] = {element("p", nil, prose.prose(result.text, ctx)),
                has_texts(result.options) and options_list(result.options, ctx),
                result.rows and rows_of(result.rows, ctx)}
  end
  return parts[1] and {element("h4", nil, "Returns"), parts}
end

-- What follows the tags: what raises, mostly.
local function notes_of(fields, ctx)
  local first = fields.notes[1]
  local is_error = first and first.kind == "text" and first.text:find "^Raises%f[%A]"
  return {is_error and element("h4", nil, "Errors"), blocks_of(fields.notes, ctx)}
end

local function facts_of(entry, ctx)
  local facts = {}
  local function add(name, ...)
    facts[#facts + 1] = {element("dt", nil, name), element("dd", nil, ...)}
  end
  for _, fact in ipairs(entry_text.facts(entry)) do
    local is_place = fact[1] == "Defined in"
    add(fact[1], is_place and element("code", nil, fact[2]) or prose.prose(fact[2], ctx))
  end
  if ctx.see and ctx.see[1] then
    local links = {}
    for i, name in ipairs(ctx.see) do links[i] = {i > 1 and ", ", prose.prose(name, ctx)} end
    add("See also", links)
  end
  return facts[1] and element("dl", {class = "facts"}, facts)
end

--- The text of an entry without its heading.
-- @param entry table as help.entries gives it
-- @param ctx as of reference_prose; result= of its example, see= a list of names to look at
-- @return markup
function M.body(entry, ctx)
  local fields = entry_fields.read(entry)
  local calls = fields.calls[1]
    and element("pre", {class = "call"}, element("code", nil, table.concat(fields.calls, "\n")))
  return html.list{calls, blocks_of(fields.blocks, ctx, ctx.result), params_of(fields, ctx),
                   returns_of(fields, ctx), notes_of(fields, ctx), facts_of(entry, ctx)}
end

--- A section of a page on an entry.
function M.section(entry, ctx)
  local heading = element("h3", nil, html.link("#" .. entry.anchor, nil, entry.name))
  return element("section", {id = entry.anchor, class = "entry"}, heading, M.body(entry, ctx))
end

return M
