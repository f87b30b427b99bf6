--- Replays a recorded run from its own copy of the script and its flags, and compares what both
-- runs wrote.
--
-- A completed run has the same bytes. One that was interrupted, was pruned or died has written the
-- beginning of what the replay writes. Of one that was resumed, the last row of each step counts,
-- and what it printed, which is in parts, is not compared.
local core = require "bnn.core"
local log_text = require "bnn.log.log_text"
local metric_summary = require "bnn.records.metric_summary"
local run_folder = require "bnn.records.run_folder"
local run_launch = require "bnn.records.run_launch"
local run_words = require "bnn.records.run_words"
local strings = require "bnn.base.strings"

local M = {}

-- ---- the flags ----

-- Flags that all experiments share and that do not decide the result.
local NOT_REPLAYED = {checkpoint = true, log = true, on_finish = true, resume = true,
                      resume_anyway = true, tensorboard = true, threads = true}

local function set_of(names)
  local set = {}
  for _, name in ipairs(names or {}) do set[name] = true end
  return set
end

-- The flags of a run: what it writes besides its record goes below `runs`, and its checkpoints into
-- the new record.
local function flags_of(run, runs, threads)
  local config, changes = run.config, {}
  local decides, is_place = set_of(run.about.result_flags), set_of(run.about.place_flags)
  for name, v in pairs(config) do
    if decides[name] or v == "" or not (NOT_REPLAYED[name] or is_place[name]) then
      changes[name] = v
    elseif is_place[name] and not NOT_REPLAYED[name] then
      changes[name] = runs .. "/" .. name
    end
  end
  if config.checkpoint and is_place.checkpoint then
    changes.checkpoint_every = config.checkpoint_every or 1000
  end
  changes.threads = threads or config.threads
  return run_words.of_config(changes)
end

-- ---- what is compared ----

-- The first line in which two texts differ.
local function first_difference(a, b)
  local line = 1
  local next_a, next_b = (a .. "\n"):gmatch "([^\n]*)\n", (b .. "\n"):gmatch "([^\n]*)\n"
  while true do
    local x, y = next_a(), next_b()
    if x ~= y then
      return ("line %d: recorded '%s', now '%s'"):format(line, strings.shown(x or "(none)"),
        strings.shown(y or "(none)"))
    end
    if x == nil then return "nothing" end
    line = line + 1
  end
end

-- Compares a text of two runs, or the first with the beginning of the second: a line to print, and
-- whether they agree.
local function compare(name, a, b, is_part)
  if not a and not b then return ("%-14s neither has it"):format(name), true end
  if not a or not b then
    return ("%-14s only the %s has it"):format(name, a and "record" or "new run"), false
  end
  if is_part then b = b:sub(1, #a) end
  if a ~= b then return ("%-14s differs in %s"):format(name, first_difference(a, b)), false end
  return ("%-14s the same %d bytes%s"):format(name, #a, is_part and " as the beginning" or ""), true
end

local function read(path, name) return run_folder.read(path .. "/" .. name) end

-- The log of a run that was resumed as one that never stopped would have it: in order, each step
-- once; and the same of the other.
local function merged_log(path)
  local blocks = metric_summary.blocks(path, {attempt = 2})
  if not blocks then return nil end
  local order, lines = {}, {}
  for i, block in ipairs(blocks) do order[block] = i end
  table.sort(blocks, function(x, y)
    if x.step ~= y.step then return x.step < y.step end
    return order[x] < order[y]
  end)
  for i, block in ipairs(blocks) do lines[i] = log_text.json_line(block.step, block.rows) end
  return table.concat(lines)
end

-- The tensors of a checkpoint, all its bytes after the header; nil if there is none.
local function tensors(path, name)
  local text = read(path, name)
  local length = text and #text >= 8 and string.unpack("<i8", text)
  return length and text:sub(9 + length)
end

-- The checkpoints that both runs have.
local function shared_checkpoints(old, new)
  local names, list = {}, {}
  for _, name in ipairs(run_folder.files(new)) do names[name] = true end
  for _, name in ipairs(run_folder.files(old)) do
    if names[name] and name:find "^checkpoints/.*%.safetensors$" then list[#list + 1] = name end
  end
  return list
end

-- The runs that stopped before their end, and what is said of them.
local HOW = {
  interrupted = "the run was interrupted: it is compared with the beginning of the replay",
  dead = "the run died: it is compared with the beginning of the replay",
  pruned = "the run was pruned: it is compared with the beginning of the replay",
}

-- What is compared of a run of some status: list of {name, text of the record, text of the replay,
-- whether the record is a part}.
local function texts_of(run, new)
  local is_part = HOW[run.status] ~= nil
  local old, rows = run.path, {}
  if run.about.attempt > 1 then
    rows[1] = {"metrics.jsonl", merged_log(old), merged_log(new), is_part}
  else
    for i, name in ipairs{"metrics.jsonl", "output.txt"} do
      rows[i] = {name, read(old, name), read(new, name), is_part}
    end
  end
  for _, name in ipairs(is_part and {} or shared_checkpoints(old, new)) do
    rows[#rows + 1] = {name:match "^checkpoints/(.*)", tensors(old, name), tensors(new, name)}
  end
  return rows
end

-- ---- what is said ----

-- What is another than when the run was made, and may change bits.
local function other_machine(run)
  local now, then_ = core.versions(), run.about.machine or {}
  local lines = {}
  for _, row in ipairs(now) do
    local old = (then_.versions or {})[row.name]
    if old and old ~= row.version and row.name ~= "threads" then
      lines[#lines + 1] = ("%s was %s, is %s"):format(row.name, old, row.version)
    end
  end
  return lines
end

-- Whether the replay ended as the run did, or a line that says how not.
local function compare_ends(run, new)
  local about = run_folder.read_json(new .. "/run.json") or {}
  local wanted = HOW[run.status] and "completed" or run.status
  if about.status == wanted then return true end
  return false, ("the run %s, the replay %s%s"):format(run.status, about.status or "left no record",
    about.failure and ": " .. strings.shown(about.failure:match "[^\n]*") or "")
end

local function report(run, new)
  local lines, agree = other_machine(run), true
  if HOW[run.status] then lines[#lines + 1] = HOW[run.status] end
  if run.about.attempt > 1 then
    lines[#lines + 1] = ("the run had %d attempts: the last row of each step is compared, not what "
      .. "was printed"):format(run.about.attempt)
  end
  for _, row in ipairs(texts_of(run, new)) do
    local line, same = compare(table.unpack(row, 1, 4))
    lines[#lines + 1], agree = line, agree and same
  end
  local same_end, line = compare_ends(run, new)
  lines[#lines + 1], agree = line, agree and same_end
  lines[#lines + 1] = agree and "the bits agree" or "the bits do not agree"
  return lines, agree
end

-- ---- replaying ----

-- The checkpoint of another run that the first attempt went on from; nil if it began anew.
local function foreign_start(about)
  local first = (about.earlier_attempts or {})[1] or about
  return first.resumed
end

-- The folder of the one run below a folder.
local function only_run(runs)
  local ids = run_folder.ids(runs)
  return ids and ids[1] and runs .. "/" .. ids[1]
end

-- The folder of the replay, below `runs`; or nil, message.
local function run_again(run, runs, threads)
  local words, fault = run_launch.words(run, runs, flags_of(run, runs, threads))
  if not words then return nil, fault end
  local done, why = core.run_program(words)
  if not done then return nil, why end
  local new = only_run(runs)
  if new then return new end
  return nil, strings.message("%s: the replay left no record: %s", run.id,
    done.errors:match "[^\n]*")
end

--- Replays a run.
-- @param run what bnn.run.open returned
-- @param threads integer: another number of threads, or nil
-- @return list of lines to print, and whether all bytes agree; or nil, message
function M.replay(run, threads)
  if run.status == "running" then return nil, run.id .. ": is still running" end
  local from = foreign_start(run.about)
  if from then
    return nil, strings.message("%s: went on at step %d from %s, which another run wrote: its "
      .. "steps before that cannot be replayed", run.id, from.step, from.path)
  end
  local runs = os.tmpname()
  os.remove(runs)
  local ok, fault = core.make_folder(runs)
  if not ok then return nil, fault end
  local _ <close> = setmetatable({}, {__close = function() run_folder.remove(runs) end})
  local new, why = run_again(run, runs, threads)
  if not new then return nil, why end
  return report(run, new)
end

return M
