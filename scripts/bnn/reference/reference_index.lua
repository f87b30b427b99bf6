--- The first page of the reference, a list of everything by subject, and the rows of its search.
local help_text = require "bnn.help.help_text"
local html = require "bnn.html.html"
local prose = require "bnn.reference.reference_prose"
local reference_search = require "bnn.reference.reference_search"
local topics = require "bnn.reference.reference_topics"

local M = {}

local element = html.element

-- ---- the first page ----

-- The subjects in order: kinds of pages, and what is said of them.
local SUBJECTS = {
  {"guide", "Guides"}, {"module", "Functions by module"}, {"class", "Methods by class"},
  {"tool", "Tools"}, {"experiment", "Experiments"},
}

local function names_of(page)
  local names, seen = {}, {}
  for _, entry in ipairs(page.entries or {}) do
    local last = topics.last_part(entry.name)
    if not seen[last] then
      seen[last] = true
      names[#names + 1] = element("li", nil, html.link(page.file .. "#" .. entry.anchor, nil, last))
    end
  end
  return names
end

-- A line of a page, and for modules and classes the names on it.
local function topic(page, site)
  local shown = (page.kind == "guide" or page.kind == "class") and page.title or page.name
  if page.kind == "tool" or page.kind == "experiment" then shown = page.title end
  local line = {html.link(page.file, nil, element("b", nil, shown)), " ",
                element("span", nil, prose.prose(page.summary or "", site))}
  if not page.entries then return element("li", nil, line) end
  return html.list{element("h3", nil, line), element("ul", {class = "names"}, names_of(page))}
end

--- The body of the first page.
-- @param site table as reference_site.collect gives it
-- @return markup
function M.body(site)
  local parts = {element("p", nil, "Lua 5.4 with Bayesian deep learning. The same texts as help in "
    .. "the program, with what the examples print. Press / to search.")}
  for _, subject in ipairs(SUBJECTS) do
    local items = {}
    for _, page in ipairs(site.pages) do
      if page.kind == subject[1] then items[#items + 1] = topic(page, site) end
    end
    local is_list = subject[1] ~= "module" and subject[1] ~= "class"
    parts[#parts + 1] = items[1] and {
      element("h2", {id = subject[1]}, subject[2]),
      is_list and element("ul", {class = "topics"}, items) or items,
    }
  end
  return html.list(parts)
end

-- ---- the rows of the search ----

local function usage_text(page)
  local texts = {}
  for i, text in ipairs(page.texts) do texts[i] = text[2] end
  return table.concat(texts, " ")
end

local function text_of(page)
  if page.guide then return page.guide.text end
  if page.texts then return usage_text(page) end
  return page.entry and page.entry.doc or ""
end

local KINDS = {guide = "Guide. ", tool = "Tool. ", experiment = "Experiment. "}

--- A row for each page and each entry.
-- @param site table as reference_site.collect gives it
-- @return list for reference_search.index
function M.rows(site)
  local rows = {}
  local function add(...) rows[#rows + 1] = reference_search.row(...) end
  for _, page in ipairs(site.pages) do
    local name = page.kind == "class" and page.title or page.kind == "guide" and page.name
      or page.title
    if page.kind == "module" then name = page.name end
    local about = (KINDS[page.kind] or "") .. (page.kind == "guide" and page.title or page.summary)
    add(name, about, page.file, text_of(page))
  end
  for _, page in ipairs(site.pages) do
    for _, entry in ipairs(page.entries or {}) do
      add(entry.name, help_text.summary(entry), page.file .. "#" .. entry.anchor, entry.doc or "")
    end
  end
  return rows
end

return M
