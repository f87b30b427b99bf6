--- The reference as pages: every public name is on one, links lead somewhere, the markup is well
-- formed and nothing is loaded from elsewhere. Tools and experiments are not asked for their flags.
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local help = require "bnn.help.help"
local html = require "bnn.html.html"
local markdown = require "bnn.reference.reference_markdown"
local prose = require "bnn.reference.reference_prose"
local reference_command = require "bnn.reference.reference_command"
local reference_entry = require "bnn.reference.reference_entry"
local reference_site = require "bnn.reference.reference_site"
local topics = require "bnn.reference.reference_topics"

-- The files of the site by name, made once.
local made

local function files()
  if made then return made end
  made = {}
  for _, file in ipairs(reference_site.files(bnn, {usage = false})) do made[file[1]] = file[2] end
  return made
end

local function each_page(f)
  for name, text in pairs(files()) do
    if name:find "%.html$" then f(name, text) end
  end
end

-- ---- markup ----

local VOID = {meta = true, link = true, input = true, img = true}

-- Raises unless every element that opens closes, in order.
local function check_nesting(name, text)
  local open = {}
  for sign, tag in text:sub(#"<!DOCTYPE html>" + 1):gmatch "<(/?)([%a%d]+)[^>]*>" do
    if sign == "/" then
      lu.assertEquals(table.remove(open), tag, name)
    elseif not VOID[tag] then
      open[#open + 1] = tag
    end
  end
  lu.assertEquals(open, {}, name)
end

-- The elements whose children HTML names: others stand in no list or table.
local CHILDREN = {dl = {dt = true, dd = true}, ul = {li = true}, ol = {li = true},
                  tr = {th = true, td = true}, p = {a = true, code = true, b = true}}

local function check_children(name, text)
  local open = {}
  for sign, tag in text:gmatch "<(/?)([%a%d]+)[^>]*>" do
    local above = CHILDREN[open[#open] or ""]
    if sign == "/" then
      open[#open] = nil
    elseif not VOID[tag] then
      if above then lu.assertTrue(above[tag] or false, ("%s: %s in %s"):format(name, tag,
                                                                            open[#open])) end
      open[#open + 1] = tag
    end
  end
end

TestPages = {}

function TestPages.test_the_markup_of_every_page_is_well_formed()
  each_page(function(name, text)
    lu.assertEquals(text:sub(1, 15), "<!DOCTYPE html>")
    check_nesting(name, text)
    check_children(name, text)
  end)
end

function TestPages.test_anchors_are_there_once()
  each_page(function(name, text)
    local seen = {}
    for id in text:gmatch ' id="([^"]*)"' do
      lu.assertNil(seen[id], name .. "#" .. id)
      seen[id] = true
    end
  end)
end

function TestPages.test_every_link_leads_to_a_page_and_an_anchor()
  local count = 0
  each_page(function(name, text)
    for address in text:gmatch 'href="([^"]*)"' do
      local file, anchor = address:match "^([^#]*)#?(.*)$"
      if not address:find "^https?://" then
        count = count + 1
        local page = files()[file == "" and name or file]
        lu.assertNotNil(page, name .. " links to " .. address)
        local is_there = anchor == "" or page:find(('id="%s"'):format(anchor), 1, true) ~= nil
        lu.assertTrue(is_there, name .. " links to " .. address)
      end
    end
  end)
  lu.assertTrue(count > 2000, count)
end

function TestPages.test_nothing_is_loaded_from_elsewhere()
  each_page(function(name, text)
    for address in text:gmatch 'src="([^"]*)"' do lu.assertNotNil(files()[address], name) end
    lu.assertNil(text:find('<link[^>]*href="http'), name)
  end)
  for _, name in ipairs{"reference.css", "reference.js"} do
    lu.assertNil(files()[name]:find "https?://", name)
    lu.assertNil(files()[name]:find "@import", name)
  end
end

function TestPages.test_every_public_name_has_a_section_and_a_row_of_the_search()
  local index = files()["search-index.js"]
  local site = topics.collect(bnn)
  for _, entry in ipairs(help.entries(bnn)) do
    local address = site.addresses[entry.name]
    lu.assertNotNil(address, entry.name)
    local file, anchor = address:match "^([^#]*)#?(.*)$"
    local mark = anchor == "" and "<h1>" or ('<section class="entry" id="%s">'):format(anchor)
    lu.assertStrContains(files()[file], mark)
    lu.assertStrContains(index, ('"%s"'):format(address))
  end
end

function TestPages.test_the_index_of_the_search_is_data()
  local text = files()["search-index.js"]
  local rows = core.json_decode(text:match "var REFERENCE = (%[.*%]);\n$")
  lu.assertTrue(#rows > 400, #rows)
  for _, row in ipairs(rows) do lu.assertEquals(#row, 4) end
end

function TestPages.test_it_is_small()
  local bytes = 0
  for _, text in pairs(files()) do bytes = bytes + #text end
  lu.assertTrue(bytes < 3e6, bytes)
end

-- ---- parts ----

local ctx = {addresses = {["bnn.train"] = "bnn.html#train"}, guides = {kl = "guide-kl.html"}}

TestParts = {}

function TestParts.test_names_links_and_code_of_prose()
  for _, row in ipairs{
    {"a < b", "a &lt; b"}, {"see bnn.train.", 'see <a href="bnn.html#train">bnn.train</a>.'},
    {"`x` and *y*", "<code>x</code> and *y*"}, {"**b**", "<b>b</b>"},
    {"[words](kl.md)", '<a href="guide-kl.html">words</a>'},
    {'help "kl"', '<a href="guide-kl.html">help &quot;kl&quot;</a>'},
    {"mybnn.train", "mybnn.train"}, {"[n, d] of [2]", "[n, d] of [2]"},
    {"arXiv:1505.05424", '<a href="https://arxiv.org/abs/1505.05424">arXiv:1505.05424</a>'},
    {"at https://a.b/c.", 'at <a href="https://a.b/c">https://a.b/c</a>.'},
    {"[x](javascript:alert)", "[x](javascript:alert)"}, {"<script>", "&lt;script&gt;"},
  } do
    lu.assertEquals(tostring(prose.prose(row[1], ctx)), row[2])
  end
end

function TestParts.test_code_has_links_and_comments()
  lu.assertEquals(tostring(prose.code('f "--" -- a\nbnn.train{}', ctx)),
    '<pre class="lua"><code>f &quot;--&quot; <i>-- a</i>\n<a href="bnn.html#train">bnn.train</a>{}'
    .. "</code></pre>")
end

function TestParts.test_markdown_becomes_blocks()
  local text = tostring(markdown.render([[
# Title

One
line.

## A part

- a `b`
  c
- d

1. e

| x | y |
|---|---|
| 1 | <2> |

```console
ls
```

    local x = 1

    x = 2
]], ctx))
  lu.assertEquals(text, '<p>One line.</p><h2 id="a-part">A part</h2><ul><li>a <code>b</code> c</li>'
    .. '<li>d</li></ul><ol><li>e</li></ol><div class="wide"><table><thead><tr><th>x</th><th>y</th>'
    .. '</tr></thead><tbody><tr><td>1</td><td>&lt;2&gt;</td></tr></tbody></table></div>'
    .. '<pre><code>ls</code></pre><pre class="lua"><code>local x = 1\n\nx = 2</code></pre>')
end

function TestParts.test_what_examples_print_is_shown_or_why_not()
  local function shown(result) return tostring(html.list{reference_entry.output(result)}) end
  lu.assertStrContains(shown{output = "1 < 2"}, "1 &lt; 2")
  lu.assertStrContains(shown{output = "0.1 s", differs = true}, "another time otherwise")
  lu.assertStrContains(shown{fault = "no data"}, "Not run here: no data")
  lu.assertEquals(shown{output = ""}, "")
end

function TestParts.test_links_lead_beside_the_page_or_to_the_web()
  for _, address in ipairs{"javascript:x", "/etc/passwd", "../x.html", "file:///x", "a.html?b"} do
    lu.assertFalse(pcall(html.link, address, nil, "x"))
  end
end

TestCommand = {}

function TestCommand.test_the_folder_is_behind_the_flag()
  lu.assertEquals(reference_command.folder{"--html=a b"}, "a b")
  lu.assertEquals(reference_command.folder{"--html", "a"}, "a")
  lu.assertEquals(reference_command.folder{"--html"}, "")
  lu.assertNil(reference_command.folder{"bnn.train"})
end

TestFolder = {}

function TestFolder.test_files_of_others_are_not_replaced()
  local folder = os.tmpname()
  os.remove(folder)
  core.make_folder(folder)
  assert(core.save_bytes(folder .. "/index.html", "mine"))
  local ok, message = reference_site.write(bnn, folder)
  lu.assertNil(ok)
  lu.assertStrContains(message, "index.html: is there and was not written by this command")
  local file <close> = io.open(folder .. "/index.html")
  lu.assertEquals(file:read "a", "mine")
  os.execute("rm -r " .. folder)
end

function TestFolder.test_a_folder_that_cannot_be_written_is_a_message()
  local ok, message = reference_site.write(bnn, "/proc/none/x")
  lu.assertNil(ok)
  lu.assertStrContains(message, "/proc/none")
end

os.exit(lu.LuaUnit.run())
