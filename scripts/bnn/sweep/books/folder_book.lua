--- The book of a sweep in files, of a folder of runs that has no ledger: root/sweeps/NAME/ has
-- sweep.json, what the sweep is, queue/, its runs (bnn.sweep.books.folder_queue), and submissions/.
-- What each method is for is said in bnn.sweep.sweep_book.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local folder_queue = require "bnn.sweep.books.folder_queue"
local folders = require "bnn.base.folders"
local refusal = require "bnn.base.refusal"
local run_folder = require "bnn.records.run_folder"
local sweep_record = require "bnn.sweep.books.sweep_record"
local sweep_trials = require "bnn.sweep.books.sweep_trials"

local M = {}

-- LONGEST_PAUSE: seconds between two looks of a pool that has nothing to do.
local Book = {__name = "bnn.folder_book", trials = sweep_trials.list, LONGEST_PAUSE = 2}
Book.__index = Book

local function folder_of(root, name) return ("%s/sweeps/%s"):format(root, name) end

--- The names of the sweeps below a folder of runs, oldest first.
function M.names(root) return sweep_record.names(root) end

--- Makes the book of a sweep in a folder of runs.
function M.new(root, name)
  local folder = folder_of(root, name)
  return setmetatable({root = root, name = name, folder = folder, last = math.maxinteger,
                       replicates = math.maxinteger,
                       queue = folder_queue.new(folder .. "/queue")}, Book)
end

--- Opens the run of a sweep again whose record is deleted.
-- @param run {id=, sweep=, trial=, replicate=}
function M.lose_run(root, run)
  local book = M.new(root, run.sweep)
  if book.queue:is_made() then book.queue:lose_run(run.trial, run.replicate, run.id) end
end

--- Says what is left of a sweep some of whose runs have been deleted; one that has none left is
-- forgotten.
-- @return string; nil: there is no such sweep
function M.after_deleting(root, name)
  local book = M.new(root, name)
  local description = book:description()
  if not description then return nil end
  book:join(description.trials, #description.seeds)
  local counts = book:counts()
  if counts.open < counts.total then return sweep_record.left_text(name, counts.open) end
  refusal.assert_or_exit(run_folder.remove(book.queue.folder))
  return sweep_record.forget_folder(root, name)
end

--- Nothing is open between two calls.
function Book:close() end

Book.__close = Book.close

function Book:before_fork() end

function Book:hurry() end

--- Folders tell nobody that something has changed.
function Book:listen() return false end

function Book:notified() return false end

-- ---- what the sweep is ----

function Book:description()
  local about = sweep_record.read(self.root, self.name)
  return about and about.description
end

-- Makes the queue of what the folders of runs have of the sweep, unless it is there.
local function make_queue(self)
  if self.queue:is_made() then return end
  local description = self:description()
  refusal.assert_or_exit(folders.make(self.folder .. "/queue"))
  for _, run in ipairs(description and sweep_record.runs(self.root, description) or {}) do
    self.queue:restore(run)
  end
  self.queue:set_made()
end

--- The folders are all that there is.
function Book:restore() end

function Book:enter(description)
  local created = run_folder.time_text(core.now())
  refusal.assert_or_exit(sweep_record.write(self.root, description, created))
end

-- ---- the queue ----

function Book:proposal(number) return self.queue:proposal(number) end

function Book:propose(number, config) return self.queue:propose(number, config) end

function Book:fill(n, replicates)
  self.last, self.replicates = n, replicates
  make_queue(self)
  self:reclaim()
  self.queue:reopen({failed = true, interrupted = true}, n, replicates)
end

function Book:join(n, replicates)
  self.last, self.replicates = n, replicates
  make_queue(self)
  self:reclaim()
end

function Book:reclaim() self.queue:reclaim() end

function Book:reopen() self.queue:reopen({interrupted = true}, self.last, self.replicates) end

function Book:claim()
  local task = self.queue:claim(self.last, self.replicates)
  if task then task.sweep = self.name end
  return task
end

function Book:beat(task) self.queue:beat(task) end

function Book:begin(task, run_id) return self.queue:begin(task, run_id) end

function Book:state(task)
  local ending = self.queue:ending(task)
  if ending then return ending.state, ending.failure end
  return "running"
end

function Book:bury(task, state, failure)
  local before = self.queue:ending(task)
  if not before then return self.queue:finish(task, {state = state, failure = failure}) end
  if before.state ~= "interrupted" then return false end
  return state == "interrupted"
    or self.queue:amend(task, {state = state, failure = failure, run = before.run})
end

function Book:counts() return self.queue:counts(self.last, self.replicates) end

function Book:cut(number) self.last = math.min(self.last, number - 1) end

function Book:finish(task, state, outcome, failure)
  if state == "open" then return self.queue:give_back(task) end
  return self.queue:finish(task, {state = state, failure = failure, outcome = outcome})
end

--- The record of a run is all that there is of it.
function Book:enter_record() end

-- ---- what came out ----

function Book:report(task, step, value) self.queue:report(task, step, value) end

function Book:reports(replicate, from) return self.queue:reports(replicate, from or 1) end

function Book:proposals(from) return self.queue:proposals(from, self.last) end

function Book:runs(from) return self.queue:runs(from, self.replicates) end

-- ---- submissions to other engines ----

local function submission_path(self, id)
  if id == "" or id:find "[/%c]" or id:find "^%." then
    fail.expected("book: submission", "a name without slashes", id)
  end
  return ("%s/submissions/%s.json"):format(self.folder, id)
end

function Book:add_submission(id, facts)
  local path = submission_path(self, id)
  refusal.assert_or_exit(folders.make_above(path))
  local won, fault = core.save_once(path, sweep_record.to_json(sweep_trials.with_time(facts)))
  refusal.assert_or_exit(won ~= nil, fault)
end

function Book:change_submission(id, facts)
  local path = submission_path(self, id)
  local before = refusal.assert_or_exit(run_folder.read_json(path))
  refusal.assert_or_exit(core.save_bytes(path,
    sweep_record.to_json(sweep_trials.merge(before, facts))))
end

function Book:submissions()
  local list = {}
  for name in pairs(core.list_dir(self.folder .. "/submissions") or {}) do
    local id = name:match "^(.+)%.json$"
    local facts = id and run_folder.read_json(submission_path(self, id))
    if facts then list[#list + 1] = sweep_trials.merge(facts, {id = id}) end
  end
  return sweep_trials.by_time(list)
end

return M
