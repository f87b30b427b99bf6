--- Where the numbers of a report come from: scripts, commits, machines, libraries, data, seeds, and
-- whether the records are as they were sealed.
local html = require "bnn.html.html"
local parts = require "bnn.report.report_parts"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"

local M = {}

local VALUES_MOST, HASH_BYTES, FAULTS_MOST = 12, 256 << 20, 10

local ORDER = {"script", "modules", "commit", "data", "seed", "host", "processor", "threads",
               "libraries", "record not complete"}

local element = html.element

-- ---- facts: the values of each, with the number of runs ----

local function note_fact(facts, name, value)
  if value == nil or value == "" then return end
  value = tostring(value)
  local fact = facts[name]
  if not fact then
    fact = {values = {}, count = {}}
    facts[name] = fact
  end
  if not fact.count[value] then fact.values[#fact.values + 1] = value end
  fact.count[value] = (fact.count[value] or 0) + 1
end

local function short_hash(text) return type(text) == "string" and text:sub(1, 12) or "-" end

local function note_sources(facts, about)
  for i, source in ipairs(about.sources or {}) do
    if type(source) == "table" then
      local is_script = source.module == nil
      note_fact(facts, is_script and "script" or "modules", ("%s, SHA-256 %s"):format(
        is_script and about.script or source.module, short_hash(source.sha256)))
    end
    if i == 20 then return end
  end
end

local function note_machine(facts, about)
  local machine = about.machine or {}
  local versions = machine.versions or {}
  note_fact(facts, "host", about.host)
  note_fact(facts, "processor", machine.cpu and ("%s, kernels of %s"):format(machine.cpu,
    machine.isa))
  note_fact(facts, "threads", about.threads or machine.threads)
  local names = {}
  for name in pairs(versions) do
    if name ~= "threads" and name ~= "instruction set" then names[#names + 1] = name end
  end
  table.sort(names, strings.before)
  for _, name in ipairs(names) do
    note_fact(facts, "libraries", ("%s: %s"):format(name, versions[name]))
  end
end

local function note_data(facts, about)
  for _, set in ipairs(about.data or {}) do
    for _, name in ipairs{"train", "test"} do
      local part = set[name]
      if part then
        note_fact(facts, "data", ("%s, %s: %s examples, fingerprint %s%s"):format(set.name, name,
          part.size, part.fingerprint or "-", part.sha256 and ", SHA-256 "
          .. short_hash(part.sha256) .. " of " .. tostring(part.origin):match "[^/]*$" or ""))
      end
    end
  end
end

local function note_run(facts, run, about)
  note_sources(facts, about)
  local repository = about.repository
  note_fact(facts, "commit", repository and ("%s%s%s"):format(short_hash(repository.commit),
    repository.branch and " on " .. repository.branch or "",
    repository.dirty and ", with changes that the record holds (git.diff)" or ""))
  note_data(facts, about)
  note_machine(facts, about)
  note_fact(facts, "seed", run.seed)
  note_fact(facts, "record not complete", about.record_fault)
end

local function value_list(fact, total)
  local items = {}
  for i = 1, math.min(#fact.values, VALUES_MOST) do
    local value = fact.values[i]
    local n = fact.count[value]
    items[i] = element("div", nil, html.cut(value, 200),
      n ~= total and element("span", {class = "note"}, (" · %s"):format(parts.count(n, "run"))))
  end
  if #fact.values > #items then
    items[#items + 1] = element("div", {class = "note"}, ("and %d more"):format(
      #fact.values - #items))
  end
  return items
end

local function seed_list(fact)
  local seeds = table.move(fact.values, 1, math.min(#fact.values, 40), 1, {})
  return table.concat(seeds, ", ") .. (#fact.values > 40 and ", …" or "")
end

local function facts_of(runs, view)
  local facts, rows = {}, {}
  for _, run in ipairs(runs) do note_run(facts, run, (view:details(run))) end
  for _, name in ipairs(ORDER) do
    local fact = facts[name]
    rows[#rows + 1] = fact and {name, name == "seed" and seed_list(fact)
      or value_list(fact, #runs)}
  end
  return parts.facts(rows)
end

-- ---- seals ----

local function size_of_folder(path)
  local bytes = 0
  for _, name in ipairs(run_folder.files(path)) do
    local file <close> = io.open(path .. "/" .. name, "rb")
    bytes = bytes + (file and file:seek "end" or 0)
  end
  return bytes
end

-- Hashes the folders of finished runs again, as long as there are few enough bytes.
local function check_seals(runs)
  local seals = {good = 0, open = 0, skipped = 0, faults = {}, bad = 0, none = 0}
  local bytes = HASH_BYTES
  for _, run in ipairs(runs) do
    local size = size_of_folder(run.path)
    if run.status == "running" or run.status == "dead" then
      seals.open = seals.open + 1
    elseif size > bytes then
      seals.skipped = seals.skipped + 1
    else
      bytes = bytes - size
      local faults, fault = run_folder.verify(run.path)
      local kind = not faults and "none" or faults[1] and "bad" or "good"
      seals[kind] = seals[kind] + 1
      for _, text in ipairs(faults or {fault}) do table.insert(seals.faults, {run.id, text}) end
    end
  end
  return seals
end

local function seal_text(seals)
  local items = {}
  local function add(n, text, class)
    if n == 0 then return end
    items[#items + 1] = {items[1] and "; " or "", element("span", {class = class or false},
      text:format(parts.count(n, "record")))}
  end
  add(seals.good, "%s hashed again and as sealed", "completed")
  add(seals.bad, "%s NOT as sealed", "bad")
  add(seals.none, "%s with NO seal that can be read", "bad")
  add(seals.open, "%s without a seal, as the run has not ended")
  add(seals.skipped, "%s too large to hash here: `bnnlua -m runs verify` does")
  return items
end

local function seal_rows(runs)
  local seals, rows = check_seals(runs), {}
  rows[1] = {"seals", seal_text(seals)}
  for i = 1, math.min(#seals.faults, FAULTS_MOST) do
    rows[i + 1] = {element("code", nil, seals.faults[i][1]),
                   element("span", {class = "bad"}, html.cut(seals.faults[i][2], 200))}
  end
  local shown = math.min(#seals.faults, FAULTS_MOST)
  return {parts.facts(rows), parts.left_out(shown, #seals.faults, "fault")}
end

--- What is known of the runs that the page shows.
function M.section(view)
  local runs = view:shown()
  return parts.section("provenance", "Provenance", {
    parts.note(("Of the %s whose rows this page has."):format(parts.count(#runs, "run"))),
    seal_rows(runs), facts_of(runs, view),
  })
end

return M
