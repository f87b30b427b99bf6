--- The runs of a report that did not end well, with what is known of why.
local html = require "bnn.html.html"
local parts = require "bnn.report.report_parts"
local run_folder = require "bnn.records.run_folder"

local M = {}

local RUNS_MOST, TRACE_MOST, ERRORS_MOST = 12, 3000, 1500

local element = html.element

local IS_BAD = {failed = true, interrupted = true, dead = true}

local function first_line(text) return text:match "^[^\n]*" end

-- The end of what a run wrote to stderr, for one that died without a word.
local function last_words(run)
  local file <close> = io.open(run.path .. "/errors.txt", "rb")
  local size = file and file:seek "end" or 0
  if size == 0 then return nil end
  file:seek("set", math.max(size - ERRORS_MOST, 0))
  return file:read "a"
end

local function log_end(run)
  local text = run_folder.read(run.path .. "/heartbeat")
  return text and ("Its last sign of life: %s."):format((text:gsub("%s+$", "")))
end

local function failure(run, is_open)
  local text = run.failure and run.failure ~= "" and run.failure or nil
  local words = not text and last_words(run)
  return parts.details({element("span", {class = run.status}, run.status), " ",
    element("code", nil, run.id), " ", html.cut(run.experiment or "", 60),
    text and {": ", html.cut(first_line(text), 160)}}, is_open,
    run.command and parts.commands{run.command}, text and parts.block(text, TRACE_MOST),
    run.status == "dead" and parts.note("Its process was gone without a last word. ", log_end(run)),
    words and {parts.note("The end of what it wrote on stderr:"), parts.block(words, ERRORS_MOST)})
end

--- The newest failures.
function M.section(view)
  local bad, body = {}, {}
  for i = #view.runs, 1, -1 do
    if IS_BAD[view.runs[i].status] then bad[#bad + 1] = view.runs[i] end
  end
  for i = 1, math.min(#bad, RUNS_MOST) do body[i] = failure(bad[i], i <= 2) end
  local shown = #body
  body[#body + 1] = parts.left_out(shown, #bad, "run", "the newest; `bnnlua -m runs list "
    .. "status=failed` has all")
  return parts.section("failures", "Failures", body)
end

return M
