--- What is on record of a sweep: its description, the runs that are to be made and who makes them,
-- what came out. Where that is follows from the folder of runs.
--
-- All books have the same methods, which end the program if their store refuses:
--   description() restore() enter(description)    what the sweep is
--   proposal(n) propose(n, config)                the configuration of trial n
--   fill(n, replicates) join(n, replicates)       which runs there are, and which are open
--   reclaim() reopen()
--   claim() beat(task) begin(task, run_id) finish(task, state, outcome, failure)
--   bury(task, state, failure) state(task)        one run
--   counts() cut(n) enter_record(run_id)
--   report(task, step, value) reports(replicate)  what runs report
--   trials(seeds, opts)                           what has come of it
--   add_submission(id, facts) change_submission(id, facts) submissions()
--   listen() notified()                           whether something has changed
--   before_fork() hurry() close()
local folder_book = require "bnn.sweep.books.folder_book"
local ledger_place = require "bnn.records.ledger_place"
local refusal = require "bnn.base.refusal"
local sql_book = require "bnn.sweep.books.sql_book"

local M = {}

-- The kind of books of a folder of runs.
local function books_of(root)
  local place, fault = ledger_place.find(root)
  refusal.assert_or_exit(not fault, fault)
  return place == "folder" and folder_book or sql_book
end

--- Makes the book of a sweep.
-- @param root string: the folder of runs
-- @param name string: of the sweep
function M.new(root, name) return books_of(root).new(root, name) end

--- The names of the sweeps of a folder of runs, or of its group's ledger, oldest first; or nil,
-- message.
function M.names(root) return books_of(root).names(root) end

return M
