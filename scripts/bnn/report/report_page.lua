--- A page of sections: one file of HTML that needs no script, no network and no other file, in the
-- reader's scheme, light or dark, and of less than a megabyte.
--
--     report_page.render{title = "Sweep", lead = markup, sections = {section, ...}}
local html = require "bnn.html.html"
local parts = require "bnn.report.report_parts"
local report_style = require "bnn.report.report_style"

local M = {}

--- The most bytes of a page.
M.BYTES_MOST = 1000000

local HEAD_BYTES = 20000 -- the style sheet, the head and the foot

local element, trusted = html.element, html.trusted

-- Nothing runs and nothing is loaded, whatever a page holds.
local POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

local function head(title)
  return element("head", nil, element("meta", {charset = "utf-8"}),
    element("meta", {name = "viewport", content = "width=device-width, initial-scale=1"}),
    element("meta", {["http-equiv"] = "Content-Security-Policy", content = POLICY}),
    element("meta", {name = "color-scheme", content = "light dark"}),
    element("meta", {name = "generator", content = "bnnlua"}),
    element("title", nil, title), element("style", nil, trusted(report_style.CSS)))
end

local function links(sections)
  local items = {}
  for i, section in ipairs(sections) do
    items[i] = element("a", {href = "#" .. section.id}, section.title)
  end
  return items[2] and element("nav", {["aria-label"] = "sections"}, items)
end

-- The sections as elements; what no longer fits says so.
local function bodies(sections, bytes)
  local drawn = {}
  for i, section in ipairs(sections) do
    local title = element("h2", nil, section.title)
    local made = element("section", {id = section.id}, title, section.body)
    if #made.text > bytes then
      made = element("section", {id = section.id}, title,
        parts.note(("Left out: it takes %d bytes, which are more than this page may have."):format(
          #made.text)))
    end
    drawn[i], bytes = made, bytes - #made.text
  end
  return drawn
end

--- Renders a page.
-- @param page table: title= string, lead= markup below it or nil, sections= list of {id=, title=,
--   body= markup or a list of it}, as report_parts.section makes them, in their order
-- @return string
function M.render(page)
  local title = html.cut(page.title, 200)
  local lead = html.list{page.lead}
  local room = M.BYTES_MOST - HEAD_BYTES - #lead.text
  return "<!DOCTYPE html>\n" .. tostring(element("html", {lang = "en"}, head(title),
    element("body", nil,
      element("header", nil, element("h1", nil, title), lead, links(page.sections)),
      element("main", nil, bodies(page.sections, room)),
      element("footer", nil, "Made by bnnlua from its records of runs.")))) .. "\n"
end

return M
