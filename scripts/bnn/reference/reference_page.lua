--- The frame of a page of the reference: head, search, title, text, footer. Style and script are
-- files beside it; nothing is loaded from elsewhere.
local html = require "bnn.html.html"
local page_style = require "bnn.html.page_style"

local M = {}

local element, trusted = html.element, html.trusted

--- What marks a file as one of these, within its first bytes.
M.MARK = "bnnlua-reference"

M.STYLE, M.SCRIPT, M.INDEX = "reference.css", "reference.js", "search-index.js"

--- The style sheet.
M.CSS = "/* " .. M.MARK .. " */\n" .. page_style.CSS .. [[
body>header{display:flex;flex-wrap:wrap;align-items:baseline;gap:6px 18px;padding-top:14px;
padding-bottom:12px;border-bottom:1px solid var(--rule);position:relative}
body>header .home{font-weight:600;text-decoration:none}
main,body>header,footer{max-width:960px}
main{padding-top:22px}
#search{flex:1 1 220px;min-width:0;font:inherit;padding:5px 9px;color:var(--ink);
background:var(--card);border:1px solid var(--rule);border-radius:6px}
#found{flex:1 0 100%;list-style:none;margin:0;padding:0;max-width:none;max-height:70vh;
overflow-y:auto}
#found:empty{display:none}
#found li{border-top:1px solid var(--rule)}
#found a{display:block;padding:6px 2px;text-decoration:none;overflow-wrap:anywhere}
#found a:focus,#found a:hover{background:var(--card)}
#found span{display:block;color:var(--muted);font-size:.86rem}
h3 span{font-weight:400;color:var(--muted);font-size:.92rem}
.names{columns:14em;column-gap:24px;list-style:none;padding:0;margin:8px 0;font-size:.92rem}
.names li{break-inside:avoid;overflow-wrap:anywhere}
.topics{list-style:none;padding:0;margin:8px 0}
.topics li{padding:4px 0;max-width:78ch}
.topics span{color:var(--muted)}
.entry{border-top:1px solid var(--rule);padding-top:6px;margin-top:30px;scroll-margin-top:8px}
.entry:target>h3{background:color-mix(in srgb,var(--accent) 14%,transparent)}
.entry h3{margin-top:10px;font-size:1.12rem}
.entry h3 a,h2 a{color:inherit;text-decoration:none}
h4{margin-top:14px;color:var(--muted)}
pre{white-space:pre;overflow-wrap:normal;tab-size:4}
pre code{font:inherit}
pre.call{font-weight:600;background:none;border:0;padding:2px 0;white-space:pre-wrap}
pre.lua i{color:var(--muted);font-style:normal}
pre a{text-decoration-color:var(--rule)}
.output{position:relative;margin:-4px 0 10px 18px}
.output .label{font-size:.78rem;color:var(--muted)}
.output pre{background:none;margin:0;border-style:dashed}
dl.options dl.options{margin:4px 0}
dt{overflow-wrap:anywhere}
dt code{color:var(--ink)}
dl.facts{border-left:3px solid var(--rule);padding-left:12px}
ul,ol{padding-left:1.3em;max-width:78ch}
@media(max-width:640px){dl{grid-template-columns:minmax(0,1fr)}dd{margin:0 0 6px 14px}
h1{font-size:1.4rem}.output{margin-left:8px}}
@media print{#search{display:none}}
]]

local function head(title)
  return element("head", nil, element("meta", {charset = "utf-8"}),
    element("meta", {name = "generator", content = M.MARK}),
    element("meta", {name = "viewport", content = "width=device-width, initial-scale=1"}),
    element("meta", {name = "color-scheme", content = "light dark"}),
    element("title", nil, title),
    trusted(('<link rel="stylesheet" href="%s">'):format(M.STYLE)))
end

local function header()
  return element("header", nil, html.link("index.html", {class = "home"}, "bnnlua reference"),
    element("input", {id = "search", type = "search", placeholder = "Search",
                      ["aria-label"] = "Search the reference", autocomplete = "off"}),
    element("ul", {id = "found"}))
end

local function footer(page)
  return element("footer", nil, element("p", nil, page.version, ". Made by ",
    element("code", nil, "bnnlua -m help --html=DIR"),
    " from the documentation that help shows. ", page.about))
end

--- Renders a page.
-- @param page table: title=, body= markup; version= of the program, about= a text at its end or nil
-- @return string
function M.render(page)
  local title = page.title == "bnnlua" and "bnnlua reference" or page.title .. " - bnnlua"
  return "<!DOCTYPE html>\n" .. tostring(element("html", {lang = "en"}, head(title),
    element("body", nil, header(), element("main", nil, element("h1", nil, page.title), page.body),
      footer(page), trusted(('<script src="%s"></script><script src="%s"></script>'):format(
        M.INDEX, M.SCRIPT))))) .. "\n"
end

return M
