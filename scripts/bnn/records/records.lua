--- The records of runs: opens and lists them, and adds to that of the run that is being made. An
-- experiment that is run from the command line is recorded in a folder below runs/; `bnnlua -m
-- runs` shows the same on the command line.
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local logs = require "bnn.log.log"
local options = require "bnn.base.options"
local recorder = require "bnn.records.recorder"
local run_filter = require "bnn.records.run_filter"
local run_folder = require "bnn.records.run_folder"
local run_life = require "bnn.records.run_life"
local run_list = require "bnn.records.run_list"
local strings = require "bnn.base.strings"

local M = {}

local Run = {__name = "bnn.run"}
Run.__index = Run

function Run:__tostring() return ("run: %s, %s"):format(self.id, self.status) end

--- Finds the run that a word means: an id, the start of one or the end of one, the name of a run,
-- or "last".
--     local id = bnn.run.find "last"
-- @param word string
-- @param opts table: runs= the folder of runs
-- @return id, folder of runs; or nil, message
function M.find(word, opts)
  expect.string("bnn.run.find: id", word, "an id")
  opts = options.check("bnn.run.find", opts, {runs = "string"})
  local root = run_folder.root(opts.runs)
  if not root or not core.is_folder(root) then
    return nil, strings.message("%s: no such folder of runs", root or "$BNNLUA_RUNS")
  end
  local ids, fault = run_folder.ids(root)
  if not ids then return nil, fault end
  if not ids[1] then return nil, strings.message("%s: holds no runs", root) end
  local id, why = run_list.pick(word, ids, function(one)
    local about = run_folder.read_json(root .. "/" .. one .. "/run.json")
    return about and about.name
  end)
  if id then return id, root end
  if why then return nil, why end
  return nil, strings.message("no run '%s' in %s%s", word, root, run_list.elsewhere(root, word))
end

--- Opens the record of a run.
--     local run = bnn.run.open "last"
--     if run then print(run.status, run.config.lr, run.metrics.accuracy) end
-- @param id string: an id, the start of one that no other has, a run's name, or "last"
-- @param opts table: runs= the folder of runs (default $BNNLUA_RUNS, else runs)
-- @return run with id, path, status, config (the flags), metrics (name -> last value), extremes
--   (name -> {least=, least_step=, most=, most_step=}), tags, notes, about (what run.json holds);
--   or nil, message
function M.open(id, opts)
  local whole, root = M.find(id, opts)
  if not whole then return nil, root end
  local path = root .. "/" .. whole
  local about, config, metrics, tags, notes = run_list.read_folder(path)
  if not about then return nil, config end
  local run = setmetatable({id = whole, path = path, about = about, config = config, metrics = {},
                            extremes = {}, tags = tags, notes = notes}, Run)
  for name, m in pairs(metrics) do run.metrics[name], run.extremes[name] = m.value, m end
  run.status = run_life.status(path, about)
  return run
end

--- Reads the log of a run: a log like bnn.log.memory's.
--     local run = bnn.run.open "last"
--     local log = run and run:log()
-- @return log; or nil, message
function Run:log() return logs.read(self.path .. "/metrics.jsonl") end

--- Returns the values of a metric of a run.
--     local run = bnn.run.open "last"
--     if run then local steps, values = run:curve "test/accuracy" end
-- @param name string
-- @return steps i64 [n], values real [n]; nil if it was not logged; or nil, message
function Run:curve(name)
  expect.string("run:curve: name", name, "the name of a metric")
  local log, fault = self:log()
  if not log then return nil, fault end
  return log:curve(name)
end

--- Opens the checkpoint of a run as a model that can predict: the best one, or the newest.
--     local run = bnn.run.open "last"
--     local model, message
--     if run then model, message = run:model() end
-- @return model, extras, as from bnn.checkpoint.open; or nil, message
function Run:model()
  local folder = self.path .. "/checkpoints"
  local paths = core.is_folder(folder) and checkpoint_folder.paths(folder)
  if not paths then
    return nil, strings.message("%s: has no checkpoint: --checkpoint_every=STEPS keeps them in the "
      .. "record", self.id)
  end
  return require "bnn.checkpoint.checkpoint".open(paths[1])
end

--- Lists the files of a run.
--     local run = bnn.run.open "last"
--     for _, name in ipairs(run and run:files() or {}) do print(name) end
-- @return list of strings: paths within the run's folder
function Run:files() return run_folder.files(self.path) end

--- Hashes the files of a finished run again.
--     local run = bnn.run.open "last"
--     local faults, good = {}, 0
--     if run then faults, good = run:verify() end
-- @return list of faults ("metrics.jsonl: changed"), and how many files are as they were; or nil,
--   message if the run has no seal
function Run:verify() return run_folder.verify(self.path) end

--- Lists runs, oldest first.
--     local good = bnn.run.list{where = {"status=completed", "test/accuracy>0.97"}}
--     for _, run in ipairs(good or {}) do print(run.id, run.config.lr) end
-- @param opts table:
--   where   list of filters NAME=VALUE (also != < <= > >=, and ~ for a part of a text), where a
--           name is a field, a flag, a metric, or tag; or a function(run)
--   runs    the folder of runs (default $BNNLUA_RUNS, else runs)
-- @return list of {id=, status=, name=, experiment=, seed=, config=, metrics=, tags=, path=}, where
--   metrics is name -> {value=, step=, least=, most=}; or nil, message
function M.list(opts)
  opts = options.check("bnn.run.list", opts, {where = "any", runs = "string"})
  local where = opts.where or {}
  if type(where) == "string" then where = {where} end
  if type(where) ~= "table" and type(where) ~= "function" then
    fail.expected("bnn.run.list: where", "a list of filters or a function", where)
  end
  local root = run_folder.root(opts.runs)
  if not root then return nil, "$BNNLUA_RUNS is empty: nothing is recorded" end
  local runs, fault = run_list.read(root)
  if not runs then return nil, fault end
  if type(where) == "table" then return run_filter.select(runs, where) end
  local kept = {}
  for _, run in ipairs(runs) do
    if where(run) then kept[#kept + 1] = run end
  end
  return kept
end

--- Returns the recorder of the run that this program makes, for what a script adds to its record;
-- nil if it is not recorded.
--     local run = bnn.run.current()
--     if run then run:note "the data were cleaned by hand" end
-- @return recorder, or nil
function M.current() return recorder.current() end

return M
