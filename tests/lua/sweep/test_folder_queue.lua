--- The queue of runs in files: claims, signs of life, ends that come too late, files that were cut,
-- and folders that cannot be written.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. arg[0]:match "^.*/" .. "?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local folder_book = require "bnn.sweep.books.folder_book"
local folders = require "bnn.base.folders"
local recorded = require "recorded_runs"
local sweeps = require "sweeps"

local in_folder, write = recorded.in_folder, recorded.write

-- A book of two trials with one seed below root, as another program would have it.
local function new_book(root, n)
  local book = folder_book.new(root, "s")
  book:fill(n or 2, 1)
  return book
end

local function path(root, name) return ("%s/sweeps/s/queue/%s"):format(root, name) end

local function read(root, name)
  local file <close> = io.open(path(root, name), "rb")
  return file and file:read "a"
end

-- The states of the runs, in their order.
local function states(book)
  local list = {}
  book.queue:look()
  for _, run in ipairs(book:runs(1)) do list[run.trial] = run.state end
  return table.concat(list, " ")
end

-- Makes a claim look as if its worker had not answered for some seconds.
local function age(root, name, seconds)
  local then_text = os.date("!%Y-%m-%d %H:%M:%S UTC", math.floor(core.now()) - seconds)
  assert(os.execute(("touch -d '%s' '%s'"):format(then_text, path(root, name))))
end

TestClaims = {}

function TestClaims.test_one_of_two_books_gets_a_run()
  in_folder(function(root)
    local one, other = new_book(root), new_book(root)
    lu.assertEquals(one:claim(), {sweep = "s", trial = 1, replicate = 1, attempt = 1})
    lu.assertEquals(other:claim().trial, 2)
    lu.assertNil(one:claim())
    lu.assertNil(other:claim())
    lu.assertEquals({one:counts().running, one:counts().total}, {2, 2})
  end)
end

function TestClaims.test_a_claim_that_is_given_back_leaves_no_file()
  in_folder(function(root)
    local book = new_book(root)
    for _ = 1, 3 do
      local task = book:claim()
      lu.assertEquals({task.trial, task.attempt}, {1, 1})
      lu.assertTrue(book:finish(task, "open"))
    end
    lu.assertNil(read(root, "1-1-1.claim"))
    lu.assertEquals(book:counts().open, 2)
  end)
end

function TestClaims.test_an_interrupted_run_is_gone_on_with()
  in_folder(function(root)
    local book = new_book(root)
    local task = book:claim()
    lu.assertTrue(book:begin(task, "run-1"))
    book:report(task, 10, 0.5)
    lu.assertTrue(book:finish(task, "interrupted"))
    lu.assertEquals(book:claim().trial, 2)
    lu.assertNil(book:claim()) -- before it is opened again
    book:reopen()
    local again = book:claim()
    lu.assertEquals({again.trial, again.attempt, again.run}, {1, 3, "run-1"})
    lu.assertTrue(book:begin(again, "run-1"))
    book:report(again, 20, 0 / 0)
    book:report(again, 10, -math.huge)
    local list = book:reports(1)[1]
    lu.assertEquals({list[1][1], list[1][2], list[2][1]}, {10, -math.huge, 20})
    lu.assertTrue(list[2][2] ~= list[2][2])
    -- As another run it begins anew.
    lu.assertTrue(book:begin(again, "run-2"))
    lu.assertNil(book:reports(1)[1])
  end)
end

function TestClaims.test_a_proposal_that_is_there_counts()
  in_folder(function(root)
    local one, other = new_book(root), new_book(root)
    lu.assertEquals(one:propose(1, {x = 1, y = 1.0, t = "a"}), {x = 1, y = 1.0, t = "a"})
    lu.assertEquals(other:propose(1, {x = 2}), {x = 1, y = 1.0, t = "a"})
    lu.assertEquals(math.type(other:proposal(1).y), "float")
  end)
end

TestDeaths = {}

function TestDeaths.test_a_worker_that_was_thought_dead_finds_its_end_refused()
  in_folder(function(root)
    local one, other = new_book(root), new_book(root)
    local task = one:claim()
    lu.assertTrue(one:begin(task, "run-1"))
    age(root, "1-1-1.claim", 59)
    other:reclaim()
    lu.assertEquals(states(other), "running")
    age(root, "1-1-1.claim", 62)
    other:reclaim()
    local state, why = other:state(task)
    lu.assertEquals({state, why}, {"open", "its worker did not answer"})
    local again = other:claim()
    lu.assertEquals({again.attempt, again.run}, {2, "run-1"})
    lu.assertFalse(one:begin(task, "run-1"))
    lu.assertFalse(one:finish(task, "completed", {values = {1}}))
    lu.assertFalse(one:bury(task, "failed", "late"))
    lu.assertTrue(other:finish(again, "completed", {values = {2}}))
    lu.assertEquals(one:runs(1)[1].outcome.values, {2})
  end)
end

function TestDeaths.test_a_beat_keeps_a_claim_whatever_this_machine_says_the_time_is()
  in_folder(function(root)
    local book = new_book(root)
    local task = book:claim()
    age(root, "1-1-1.claim", 3600)
    book:beat(task)
    local now = core.now
    core.now = function() return now() + 1e6 end
    book:reclaim()
    core.now = now
    lu.assertEquals(states(book), "running")
  end)
end

function TestDeaths.test_a_process_of_this_host_that_was_killed_is_known_to_be_dead_at_once()
  in_folder(function(root)
    local book = new_book(root)
    local job = assert(core.fork(function(send)
      local own = new_book(root)
      own:begin(own:claim(), "run-1")
      send "claimed"
      sweeps.die()
    end))
    sweeps.wait_for(function()
      for _, event in ipairs(core.wait_jobs({job}, 1)) do
        if event.signal == 9 then return true end
      end
    end)
    lu.assertEquals(states(book), "running")
    book:reclaim()
    local run = book:runs(1)[1]
    lu.assertEquals({run.state, run.failure, run.run}, {"open", "its worker died", "run-1"})
  end)
end

function TestDeaths.test_many_at_once_lose_none_and_make_none_twice()
  in_folder(function(root)
    local n, jobs = 60, {}
    new_book(root, n)
    for i = 1, 4 do
      jobs[i] = assert(core.fork(function(send)
        local own = folder_book.new(root, "s")
        own:join(n, 1)
        while true do
          local task = own:claim()
          if not task then return end
          assert(own:finish(task, "completed", {values = {task.trial}}))
          send(("%d %d"):format(task.trial, task.attempt))
        end
      end))
    end
    local seen, ends = {}, 0
    sweeps.wait_for(function()
      for _, event in ipairs(core.wait_jobs(jobs, 1)) do
        if event.message then
          lu.assertNil(seen[event.message])
          seen[event.message] = true
        else
          lu.assertEquals(event.status, 0)
          ends = ends + 1
        end
      end
      return ends == 4
    end)
    for trial = 1, n do lu.assertTrue(seen[trial .. " 1"], trial) end
    lu.assertEquals(new_book(root, n):counts().completed, n)
  end)
end

TestFiles = {}

function TestFiles.test_files_that_were_cut_cost_no_more_than_a_run()
  in_folder(function(root)
    local book = new_book(root, 4)
    for i = 1, 4 do
      local task = book:claim()
      book:propose(i, {x = i})
      book:begin(task, "run-" .. i)
      book:report(task, 1, 0.25)
      book:report(task, 2, 0.5)
      if i < 4 then book:finish(task, "completed", {values = {i}}) end
    end
    write(path(root, "1-1-1.end"), '{"state":"compl')
    write(path(root, "2-1-1.end"), "")
    write(path(root, "3-1-1.run"), "run run-3\n1 0x1p-2\n2 0x1")
    write(path(root, "4-1-1.claim"), '{"lea')
    write(path(root, "4-1-1.run"), "run ru")
    write(path(root, "4-1-2.claim.17-abc.part"), '{"le')
    age(root, "4-1-1.claim", 100)
    age(root, "4-1-2.claim.17-abc.part", 100000)
    local said = {}
    local notice = require "bnn.base.notice"
    local say = notice.say
    function notice.say(...) said[#said + 1] = string.format(...) end
    local other = new_book(root, 4)
    notice.say = say
    lu.assertEquals(other:counts().open, 3)
    lu.assertEquals(#said, 2)
    lu.assertStrContains(said[1], "1-1-1.end")
    lu.assertEquals(other:reports(1)[3], {{1, 0.25}})
    lu.assertNil(read(root, "4-1-2.claim.17-abc.part"))
    local task = other:claim()
    lu.assertEquals({task.trial, task.attempt, task.run}, {1, 2, "run-1"})
    write(path(root, "2.trial"), '{"x":')
    local ok, fault = pcall(function() return folder_book.new(root, "s"):proposal(2) end)
    lu.assertFalse(ok)
    lu.assertStrContains(tostring(fault), "2.trial")
  end)
end

-- Root may write everywhere; a folder in the place of a file is in nobody's way but a writer's.
function TestFiles.test_what_cannot_be_written_ends_with_the_path()
  in_folder(function(root)
    local book = new_book(root)
    assert(os.execute(("mv '%s' '%s'"):format(path(root, ""), root .. "/away")))
    local ok, fault = pcall(book.claim, book)
    lu.assertFalse(ok)
    lu.assertStrContains(tostring(fault), root .. "/sweeps/s/queue")
  end)
end

function TestFiles.test_submissions_are_in_their_order_with_what_is_new()
  for _, store in ipairs{"folder", "sqlite"} do
    in_folder(function(root)
      if store == "folder" then write(root .. "/ledger.txt", "folder\n") end
      local book <close> = require "bnn.sweep.sweep_book".new(root, "s")
      book:add_submission("b", {count = 3, state = "intended"})
      book:add_submission("a", {count = 1})
      book:add_submission("b", {count = 99})
      book:change_submission("b", {state = "submitted", job = "17"})
      local list = book:submissions()
      lu.assertEquals({list[1].id, list[1].count, list[1].state, list[1].job, list[2].id, #list},
        {"b", 3, "submitted", "17", "a", 2})
      lu.assertTrue(list[1].created <= list[2].created)
    end)
  end
end

-- The queue is made of the records if it is not there, as when the ledger was a database before.
function TestFiles.test_a_queue_that_is_not_there_is_made_of_the_records()
  in_folder(function(root)
    local opts = {name = "s", seeds = 2, experiment = function(cfg, log)
      sweeps.note(root, cfg.x)
      log:row(1, {loss = cfg.x + 1})
      log:row(2, {loss = cfg.x})
      return {loss = cfg.x + cfg.seed / 10}
    end}
    local before = sweeps.text_of(sweeps.sweep(root, opts))
    assert(require "bnn.records.ledger_place".write(root, "folder"))
    local after, said = sweeps.sweep(root, opts)
    lu.assertEquals(sweeps.text_of(after), before)
    lu.assertEquals(said, {"the sweep 's' goes on: 6 of 6 runs are done"})
    lu.assertEquals(sweeps.noted(root), {["1"] = 2, ["2"] = 2, ["3"] = 2})
    lu.assertEquals(after.reports[1][3], {{1, 4.0}, {2, 3.0}})
  end)
end

function TestFiles.test_nothing_of_a_database_is_made()
  in_folder(function(root)
    assert(folders.make(root))
    write(root .. "/ledger.txt", "folder\n")
    sweeps.sweep(root)
    lu.assertFalse(core.list_dir(root)["runs.db"] ~= nil)
    lu.assertEquals(#bnn.run.list{runs = root}, 3)
  end)
end

os.exit(lu.LuaUnit.run())
