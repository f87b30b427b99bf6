--- The pages of the reference: which there are, what is on each, and the address of every name.
--
-- A page is {file=, kind= "module", "class", "guide", "tool" or "experiment", name=, title=,
-- summary=, entry= its own documentation or nil, entries= its members, sorted}. Modules and classes
-- are the groups of help "index".
local classes = require "bnn.help.help_classes"
local help = require "bnn.help.help"
local help_index = require "bnn.help.help_index"
local help_text = require "bnn.help.help_text"
local guides = require "bnn.help.guides"
local strings = require "bnn.base.strings"

local M = {}

--- The last part of a name: adam of bnn.optim.adam, which is its anchor.
function M.last_part(name) return name:match "[^.:]+$" or name end

-- Classes of C whose methods stand on one page: those of tensors.
local SAME = {x = "tensor"}

-- The name of the page on which an entry is: its module or its class.
local function owner_of(entry, modules)
  local class = entry.name:match "^([%w_]+):[%w_]+$"
  if class then return SAME[class] or class, "class" end
  if entry.name == "bnn" or modules[entry.name] then return entry.name, "module" end
  return entry.name:match "^(.*)%.[%w_]+$" or "bnn", "module"
end

-- Summaries that no text has.
local TITLES = {
  bnn = "The functions of the library; the ops of tensors are functions too, bnn.sum(x)",
  tensor = "Ops and methods of tensors",
}

local function new_page(name, kind)
  local title = kind == "class" and "Methods of " .. name or name
  return {file = name .. ".html", kind = kind, name = name, title = title, entries = {}, has = {}}
end

local function add_entry(page, entry)
  local is_own = entry.name == page.name
  if is_own then page.entry = page.entry or entry end
  if is_own and not entry.call and entry.field == "" then return end
  page.entries[#page.entries + 1] = entry
end

-- Pages of modules and classes, by name.
local function code_pages(entries)
  local modules, pages, by_name = help_index.modules(entries), {}, {}
  for _, entry in ipairs(entries) do
    local name, kind = owner_of(entry, modules)
    if not by_name[name] then
      by_name[name] = new_page(name, kind)
      pages[#pages + 1] = by_name[name]
    end
    add_entry(by_name[name], entry)
  end
  for _, page in ipairs(pages) do
    page.summary = TITLES[page.name] or page.entry and help_text.summary(page.entry)
      or classes.origins[page.name] or ""
    table.sort(page.entries, function(a, b)
      local p, q = M.last_part(a.name), M.last_part(b.name)
      if p ~= q then return strings.before(p, q) end
      return strings.before(a.name, b.name)
    end)
  end
  table.sort(pages, function(a, b)
    if a.kind ~= b.kind then return a.kind == "module" end
    return strings.before(a.name, b.name)
  end)
  return pages
end

local function guide_pages()
  local pages = {}
  for i, guide in ipairs(guides.list()) do
    pages[i] = {file = ("guide-%s.html"):format(guide.name), kind = "guide", name = guide.name,
                title = guide.title, summary = guide.summary, guide = guide}
  end
  return pages
end

-- Anchors of entries of one name on a page: adam, adam-2.
local function anchor_for(page, entry)
  local last = M.last_part(entry.name)
  page.has[last] = (page.has[last] or 0) + 1
  return page.has[last] == 1 and last or ("%s-%d"):format(last, page.has[last])
end

-- name -> address: of pages, of entries, and of ops under both of their names.
local function addresses_of(pages)
  local addresses = {}
  local function add(name, address) addresses[name] = addresses[name] or address end
  for _, page in ipairs(pages) do
    if page.kind == "module" then add(page.name, page.file) end
    for _, entry in ipairs(page.entries or {}) do
      entry.anchor = anchor_for(page, entry)
      local address = page.file .. "#" .. entry.anchor
      add(entry.name, address)
      local op = entry.name:match "^x:([%w_]+)$"
      if op then add("bnn." .. op, address) end
    end
  end
  return addresses
end

-- Entries that the pages may write on.
local function copies(entries)
  local list = {}
  for i, entry in ipairs(entries) do list[i] = setmetatable({}, {__index = entry}) end
  return list
end

--- The pages that follow from the documentation alone.
-- @param bnn table: the library
-- @return table: pages, a list; entries, of all of them; addresses, name -> FILE#ANCHOR; guides,
--   name -> file
function M.collect(bnn)
  local entries = copies(help.entries(bnn))
  local pages, guide_files, code = guide_pages(), {}, code_pages(entries)
  for _, page in ipairs(pages) do guide_files[page.name] = page.file end
  table.move(code, 1, #code, #pages + 1, pages)
  return {pages = pages, entries = entries, addresses = addresses_of(pages), guides = guide_files}
end

return M
