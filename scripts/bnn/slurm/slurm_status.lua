--- How sweeps stand: their runs by state, and the tasks of Slurm that make them.
local core = require "bnn.core"
local slurm_jobs = require "bnn.slurm.slurm_jobs"
local strings = require "bnn.base.strings"
local sweep_book = require "bnn.sweep.sweep_book"
local table_text = require "bnn.base.table_text"

local M = {}

local STATES = {"completed", "pruned", "failed", "running", "interrupted", "open"}

local COLUMNS = {
  {"array", key = "job"}, {"name", key = "name"}, {"tasks", key = "tasks"},
  {"running", key = "running"}, {"pending", key = "pending"}, {"ended", key = "ended"},
  {"why pending", key = "reason"},
}

local function runs_text(counts)
  local words = {}
  for _, state in ipairs(STATES) do
    if counts[state] > 0 then words[#words + 1] = ("%d %s"):format(counts[state], state) end
  end
  return ("%d run%s: %s"):format(counts.total, counts.total == 1 and "" or "s",
    words[1] and table.concat(words, ", ") or "none")
end

--- The names of the sweeps of a folder of runs.
function M.names(root)
  local names = {}
  for name, kind in pairs(core.list_dir(root .. "/sweeps") or {}) do
    if kind == "folder" then names[#names + 1] = name end
  end
  table.sort(names, strings.before)
  return names
end

--- The book of a sweep that is on record; or nil, message.
function M.open(root, name)
  local book = core.is_folder(("%s/sweeps/%s"):format(root, name)) and sweep_book.new(root, name)
  local description = book and book:description()
  if description then
    book:join(description.trials, #description.seeds)
    return book
  end
  if book then book:close() end
  local names = M.names(root)
  return nil, strings.message("%s has no sweep '%s'%s", root, name,
    names[1] and ": it has " .. table.concat(names, ", ") or "")
end

--- How a sweep stands, as lines.
-- @param book of the sweep
-- @return string, and a message if Slurm does not say what its tasks do
function M.text(book)
  local jobs = slurm_jobs.new(book)
  local ok, fault = jobs:refresh()
  local text = strings.message("%s: %s\n", book.name, runs_text(book:counts()))
  local rows = jobs:rows()
  if ok and rows[1] then text = text .. table_text.render(rows, COLUMNS) end
  return text, fault
end

return M
