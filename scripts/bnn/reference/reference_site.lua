--- The reference as a site of HTML pages in a folder, read without a server or the network.
--
-- A page each for every module and class with the functions in it, every guide, tool and
-- experiment; examples have what they print behind them. Files that the site itself wrote before
-- are replaced or removed, others stay.
local classes = require "bnn.help.help_classes"
local core = require "bnn.core"
local example_runner = require "bnn.reference.example_runner"
local example_world = require "bnn.reference.example_world"
local folders = require "bnn.base.folders"
local html = require "bnn.html.html"
local markdown = require "bnn.reference.reference_markdown"
local page_frame = require "bnn.reference.reference_page"
local prose = require "bnn.reference.reference_prose"
local reference_entry = require "bnn.reference.reference_entry"
local reference_index = require "bnn.reference.reference_index"
local reference_search = require "bnn.reference.reference_search"
local reference_usage = require "bnn.reference.reference_usage"
local see_also = require "bnn.help.see_also"
local strings = require "bnn.base.strings"
local topics = require "bnn.reference.reference_topics"

local M = {}

local element = html.element

-- ---- examples ----

-- The Lua blocks of a guide: {name=, code=, line=}.
local function guide_jobs(page, jobs)
  for _, block in ipairs(markdown.blocks(page.guide.text)) do
    if block.kind == "code" and block.language == "lua" then
      jobs[#jobs + 1] = {name = page.file .. ":" .. block.line, code = table.concat(block, "\n")}
    end
  end
end

-- Every example there is, as example_runner takes them.
local function jobs_of(site)
  local jobs = {}
  for _, entry in ipairs(site.entries) do
    local code = reference_entry.example(entry)
    if code then jobs[#jobs + 1] = {name = entry.name, code = code, entry = entry} end
  end
  for _, page in ipairs(site.pages) do
    if page.kind == "guide" then guide_jobs(page, jobs) end
  end
  return jobs
end

-- What came of each example, by entry and by name of a guide's block; or nil, message.
local function run_examples(site)
  local jobs, given = jobs_of(site), {}
  for i, job in ipairs(jobs) do given[i] = {name = job.name, code = job.code} end
  strings.notice(("running %d examples, which takes half a minute"):format(#jobs))
  local results, fault = example_runner.run(given)
  if not results then return nil, fault end
  local by = {}
  for i, job in ipairs(jobs) do by[job.entry or job.name] = results[i] end
  return by
end

-- ---- pages ----

local writers = {}

-- What the text of an entry is written with.
local function context_of(site, entry, address)
  return {addresses = site.addresses, guides = site.guides, here = address,
          result = site.results[entry],
          see = see_also.names(entry, site.entries, site.guide_list)}
end

local function code_page(page, site)
  local names, sections = {}, {}
  for i, entry in ipairs(page.entries) do
    local address = page.file .. "#" .. entry.anchor
    names[i] = element("li", nil, html.link("#" .. entry.anchor, nil,
      topics.last_part(entry.name)))
    sections[i] = reference_entry.section(entry, context_of(site, entry, address))
  end
  local origin = classes.origins[page.name]
  local about = page.entry and page.entry.field == ""
    and reference_entry.body(page.entry, context_of(site, page.entry, page.file))
  return html.list{origin and element("p", nil, prose.prose(origin, site)), about,
                   names[2] and element("ul", {class = "names"}, names), sections}
end
writers.module, writers.class = code_page, code_page

function writers.guide(page, site)
  local ctx = setmetatable({after_code = function(line)
    return reference_entry.output(site.results[page.file .. ":" .. line])
  end}, {__index = site})
  return markdown.render(page.guide.text, ctx)
end

local function usage_page(page)
  local parts = {}
  for _, text in ipairs(page.texts) do
    local id = page.texts[2] and markdown.anchor(text[1]) or false
    parts[#parts + 1] = element("h2", {id = id}, text[1])
    parts[#parts + 1] = prose.verbatim((text[2]:gsub("%s+$", "")))
  end
  return html.list(parts)
end
writers.tool, writers.experiment = usage_page, usage_page

-- Every file of the site: {name, text}, the index last.
local function files_of(site)
  local files = {
    {page_frame.STYLE, page_frame.CSS},
    {page_frame.SCRIPT, "/* " .. page_frame.MARK .. " */\n" .. reference_search.SCRIPT},
    {page_frame.INDEX, "/* " .. page_frame.MARK .. " */\n"
      .. reference_search.index(reference_index.rows(site))},
  }
  for _, page in ipairs(site.pages) do
    local about = page.entries and example_world.ABOUT or page.guide and example_world.ABOUT
    files[#files + 1] = {page.file, page_frame.render{
      title = page.title, body = writers[page.kind](page, site), about = about,
      version = site.version,
    }}
  end
  files[#files + 1] = {"index.html", page_frame.render{
    title = "bnnlua", body = reference_index.body(site), version = site.version,
  }}
  return files
end

-- ---- writing ----

local MARKED = 400 -- bytes of a file's start that have the mark

local function is_ours(path)
  local head = core.file_head(path, MARKED)
  return head ~= nil and head:find(page_frame.MARK, 1, true) ~= nil
end

-- The files in the folder that were written by a site; or nil, message if one that would be
-- replaced is another's.
local function own_files(folder, files)
  local names, fault = core.list_dir(folder)
  if not names then return nil, fault end
  local own = {}
  for name, kind in pairs(names) do
    local is_page = kind == "file" and (name:find "%.html$" or name:find "%.css$"
      or name:find "%.js$")
    if is_page and is_ours(folder .. "/" .. name) then own[name] = true end
  end
  for _, file in ipairs(files) do
    if names[file[1]] and not own[file[1]] then
      return nil, strings.message("%s/%s: is there and was not written by this command; nothing "
        .. "was changed", folder, file[1])
    end
  end
  return own
end

-- What can be refused before anything is gathered: an index that is another's.
local function check_index(folder) return own_files(folder, {{"index.html"}}) end

local function write_all(folder, files, own)
  for _, file in ipairs(files) do
    local ok, fault = core.save_bytes(folder .. "/" .. file[1], file[2])
    if not ok then return nil, fault end
    own[file[1]] = nil
  end
  for name in pairs(own) do os.remove(folder .. "/" .. name) end -- pages of names that are gone
  return true
end

-- Whether files can be written into a folder: true; or nil, message.
local function check_folder(folder)
  local ok, fault = folders.make(folder)
  if not ok then return nil, fault end
  local probe = folder .. "/." .. page_frame.MARK
  ok, fault = core.save_bytes(probe, "")
  os.remove(probe)
  return ok, fault
end

-- Gathers what the site shows.
-- @param bnn table: the library
-- @param usage boolean: whether tools and experiments are asked for their flags
-- @return table: pages, entries, addresses, guides, guide_list, version; and results, what examples
--   print, by entry and by name of a guide's block
local function collect(bnn, usage)
  local site = topics.collect(bnn)
  site.version = reference_usage.version()
  site.results, site.guide_list = {}, require "bnn.help.guides".list()
  for _, list in ipairs(usage and {reference_usage.tools, reference_usage.experiments} or {}) do
    local pages = list()
    table.move(pages, 1, #pages, #site.pages + 1, site.pages)
  end
  return site
end

--- The files of the site as texts, without what examples print.
-- @param bnn table: the library
-- @param opts table: usage=true; false leaves out the flags of tools and experiments
-- @return list of {name, text}
function M.files(bnn, opts)
  return files_of(collect(bnn, not (opts and opts.usage == false)))
end

--- Writes the site.
-- @param bnn table: the library
-- @param folder string; it is made if it is not there
-- @return table {pages=, examples=, bytes=}: how many; or nil, message
function M.write(bnn, folder)
  local ok, fault = check_folder(folder)
  if not ok then return nil, fault end
  ok, fault = check_index(folder)
  if not ok then return nil, fault end
  local site = collect(bnn, true)
  local own, why = own_files(folder, files_of(site))
  if not own then return nil, why end
  site.results, why = run_examples(site)
  if not site.results then return nil, why end
  local files, bytes = files_of(site), 0
  ok, fault = write_all(folder, files, own)
  if not ok then return nil, fault end
  for _, file in ipairs(files) do bytes = bytes + #file[2] end
  return {pages = #site.pages + 1, examples = #jobs_of(site), bytes = bytes}
end

return M
