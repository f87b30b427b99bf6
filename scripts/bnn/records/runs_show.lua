--- What `bnnlua -m runs` prints of one run, and of the differences between two.
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local ledger = require "bnn.records.ledger"
local placement = require "bnn.base.placement"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"
local table_text = require "bnn.base.table_text"

local M = {}

local function section(lines, title, text)
  if text == "" or text == nil then return end
  lines[#lines + 1] = "\n" .. title .. ":"
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = "  " .. strings.shown(line) end
end

local function config_text(run)
  local parts = {}
  for _, name in ipairs(options.sorted_names(run.config)) do
    parts[#parts + 1] = ("%s=%s"):format(name, ledger.value_text(run.config[name]))
  end
  return table.concat(parts, "\n")
end

local function metrics_text(run)
  local rows = {}
  for _, name in ipairs(options.sorted_names(run.metrics)) do
    local m = run.extremes[name]
    rows[#rows + 1] = {name, m.value, m.step, m.least, m.most}
  end
  if not rows[1] then return "" end
  local four = {decimals = 4}
  local function column(title, key) return {title, key = key, decimals = four.decimals} end
  return table_text.render(rows, {"metric", column("last", 2), "step", column("least", 4),
    column("most", 5)})
end

local function data_text(about)
  local parts = {}
  for _, set in ipairs(about.data or {}) do
    for _, name in ipairs{"train", "test"} do
      local part = set[name]
      if part then
        parts[#parts + 1] = ("%s, %s: %s examples, fingerprint %s%s"):format(set.name, name,
          number.text(part.size), part.fingerprint or "-",
          part.sha256 and ", SHA-256 " .. part.sha256 .. " of " .. part.origin or "")
      end
    end
  end
  return table.concat(parts, "\n")
end

local function head(run)
  local about, machine = run.about, run.about.machine or {}
  local repository = about.repository or {}
  local versions = machine.versions or {}
  local rows = {
    {"run", run.id}, {"name", about.name}, {"folder", run.path}, {"status", run.status},
    {"command", about.command}, {"in", machine.folder}, {"started", about.started .. " UTC"},
    {"ended", about.ended and about.ended .. " UTC"},
    {"resumed", about.resumed and number.format("at step %d from %s", about.resumed.step,
      about.resumed.path)},
    {"time", about.wall_seconds and number.format("%.1f s, %.1f s of processors, %.0f MB at most",
      about.wall_seconds, about.cpu_seconds, about.peak_bytes / 1e6)},
    {"sweep", about.sweep and number.format("%s, trial %d, replicate %d", about.sweep, about.trial,
      about.replicate)},
    {"seed", about.seed}, {"commit", repository.commit
      and repository.commit .. (repository.dirty and " with changes (git.diff)" or "")},
    {"machine", ("%s, %s, %s threads"):format(about.host, machine.cpu, number.text(
      about.threads or machine.threads))},
    {"placed by", placement.text(about.placed)},
    {"kernels", ("%s; OpenBLAS %s"):format(machine.isa, versions.OpenBLAS or "none")},
    {"record", about.record_fault and "not complete: " .. about.record_fault},
  }
  local lines = {}
  for _, row in ipairs(rows) do
    if row[2] ~= nil then
      lines[#lines + 1] = ("%-9s %s"):format(row[1], strings.shown(number.text(row[2])))
    end
  end
  return lines
end

-- A line for each attempt of a run that had several.
local function attempts_text(about)
  local lines = {}
  for i, one in ipairs(about.earlier_attempts or {}) do
    local placed = placement.text(one.placed)
    lines[i] = ("%d: %s, %s to %s on %s%s"):format(one.number, one.status, one.started, one.ended,
      one.host, placed and ", by " .. placed or "")
  end
  return table.concat(lines, "\n")
end

--- The text of a run that bnn.run.open returned.
function M.run(run)
  local lines = head(run)
  local tags, notes = {}, {}
  for tag in pairs(run.tags) do tags[#tags + 1] = tag end
  table.sort(tags, strings.before)
  for i, row in ipairs(run.notes) do notes[i] = row.written .. "  " .. row.note end
  section(lines, "tags", table.concat(tags, " "))
  section(lines, "notes", table.concat(notes, "\n"))
  section(lines, "earlier attempts", attempts_text(run.about))
  section(lines, "failure", run.about.failure)
  section(lines, "configuration", config_text(run))
  section(lines, "metrics", metrics_text(run))
  section(lines, "data", data_text(run.about))
  section(lines, "files", table.concat(run:files(), "\n"))
  return table.concat(lines, "\n") .. "\n"
end

-- ---- two runs ----

local function flat(t, prefix, into)
  for _, name in ipairs(options.sorted_names(t)) do
    local v = t[name]
    if type(v) == "table" and next(v) ~= nil and #v == 0 then
      flat(v, prefix .. name .. ".", into)
    else
      into[prefix .. name] = ledger.value_text(v)
    end
  end
  return into
end

-- The names of two tables whose values differ, as rows.
local function differing(a, b, prefix)
  local names, rows = {}, {}
  for name in pairs(a) do names[name] = true end
  for name in pairs(b) do names[name] = true end
  for _, name in ipairs(options.sorted_names(names)) do
    if a[name] ~= b[name] then
      rows[#rows + 1] = {prefix .. name, a[name] or "-", b[name] or "-"}
    end
  end
  return rows
end

local function sources_of(run)
  local hashes = {}
  for _, source in ipairs(run.about.sources or {}) do
    hashes[source.file] = source.sha256 and source.sha256:sub(1, 12)
  end
  return hashes
end

local function facts_of(run)
  local about = run.about
  local facts = {status = run.status, commit = about.repository and about.repository.commit,
                 host = about.host, cpu = about.machine and about.machine.cpu,
                 isa = about.machine and about.machine.isa}
  for name, version in pairs(about.machine and about.machine.versions or {}) do
    facts["version of " .. name] = version
  end
  for i, set in ipairs(about.data or {}) do
    facts[("data %d"):format(i)] = ("%s %s"):format(set.name, set.train and set.train.fingerprint
      or set.test and set.test.fingerprint or "")
  end
  return facts
end

local function numbers_of(run)
  local texts = {}
  for name, v in pairs(run.metrics) do
    texts[name] = type(v) == "number" and number.exact(v) or number.text(v)
  end
  return texts
end

--- What differs between two runs: flags, scripts, machine, data, metrics.
function M.difference(a, b)
  local rows = {}
  for _, part in ipairs{
    differing(flat(a.config, "", {}), flat(b.config, "", {}), "--"),
    differing(sources_of(a), sources_of(b), ""), differing(facts_of(a), facts_of(b), ""),
    differing(numbers_of(a), numbers_of(b), ""),
  } do
    table.move(part, 1, #part, #rows + 1, rows)
  end
  if not rows[1] then return "nothing differs\n" end
  local columns = {}
  for i, title in ipairs{"", a.id, b.id} do columns[i] = {title, key = i, align = "left"} end
  local text = table_text.render(rows, columns)
  local script_a = run_folder.read(a.path .. "/" .. (a.about.sources or {{}})[1].file)
  local script_b = run_folder.read(b.path .. "/" .. (b.about.sources or {{}})[1].file)
  if script_a == script_b then return text end
  return text .. ("\nthe scripts differ: diff %s/code %s/code\n"):format(a.path, b.path)
end

return M
