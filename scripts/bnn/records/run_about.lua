--- What run.json says of a run: of its first attempt, and of the next one when it is resumed.
--
-- attempt, host, pid, machine, placed, data, resumed and status are those of the newest attempt,
-- `started` is the start of the run, and wall_seconds and cpu_seconds are sums. earlier_attempts is
-- a list of {number=, status=, started=, ended=, ...}.
local core = require "bnn.core"
local placement = require "bnn.base.placement"
local run_folder = require "bnn.records.run_folder"
local run_life = require "bnn.records.run_life"
local run_words = require "bnn.records.run_words"

local M = {}

local function now_text() return run_folder.time_text(core.now()) end

local function seed_of(config) return math.type(config.seed) == "integer" and config.seed or nil end

-- What is of this process.
local function set_process(about, machine)
  about.host, about.pid = core.host()
  about.machine = {}
  for name, v in pairs(machine) do about.machine[name] = v end
  about.machine.threads = core.threads()
  about.placed = placement.read()
end

--- Describes a run that begins.
-- @param id string
-- @param opts table: as recorder.start takes it
-- @param facts table: as run_facts.gather returns it
function M.new(id, opts, facts)
  local labels = opts.labels or {}
  local about = {
    format = 1, id = id, attempt = 1, status = "running", name = opts.name,
    experiment = opts.script and (opts.script:match "([^/]+)%.lua$" or opts.script:match "[^/]+$"),
    about = opts.about, script = opts.script, seed = seed_of(opts.config),
    argv = table.move(opts.argv, 1, #opts.argv, 1, {}),
    command = run_words.command(opts.script, opts.argv), result_flags = opts.result_flags,
    place_flags = opts.place_flags, started = now_text(), data = {},
    repository = facts.repository, sweep = labels.sweep, trial = labels.trial,
    replicate = labels.replicate, proposal = labels.proposal, is_within = labels.is_within,
  }
  set_process(about, facts.machine)
  return about
end

local OF_AN_ATTEMPT = {"status", "ended", "host", "pid", "machine", "placed", "data", "resumed",
                       "failure", "peak_bytes", "threads", "results", "record_fault"}

-- The attempt that was the newest so far: what is no more said of the run itself.
local function take_attempt(about, path)
  local last = {number = about.attempt, started = about.attempt_started or about.started}
  for _, name in ipairs(OF_AN_ATTEMPT) do last[name], about[name] = about[name], nil end
  if last.status ~= "running" then return last end
  last.status, last.ended = "dead", run_life.last_sign(path, about)
  local lived = math.max(0, run_life.seconds_between(last.started, last.ended))
  about.wall_seconds = (about.wall_seconds or 0) + lived
  return last
end

--- Changes the description of a run to that of its next attempt.
-- @param about table: what run.json holds; it is changed
-- @param path string: the run's folder
-- @param machine table: as run_facts.machine returns it
function M.next(about, path, machine)
  about.earlier_attempts = about.earlier_attempts or {}
  table.insert(about.earlier_attempts, take_attempt(about, path))
  about.attempt, about.status, about.data = about.attempt + 1, "running", {}
  about.attempt_started = now_text()
  set_process(about, machine)
end

--- Enters the end of the newest attempt.
-- @param begun table {now=, cpu=}: the time when it began, and the processor time used by then
function M.finish(about, status, failure, begun)
  local cpu, peak = core.usage()
  about.status, about.failure, about.ended = status, failure, now_text()
  about.wall_seconds = (about.wall_seconds or 0) + core.now() - begun.now
  about.cpu_seconds = (about.cpu_seconds or 0) + cpu - begun.cpu
  about.peak_bytes, about.threads = peak, core.threads()
end

return M
