--- Lua functions in child processes (core.fork, core.wait_jobs).
local lu = require "luaunit"
local here = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = here .. "/?.lua;" .. package.path
local bnn = require "bnn"
local core = require "bnn.core"
local signal = require "bnn.signal"
local bits = require "bits"

local MANY = 64

-- What becomes of a job: the messages that it sent and its last event.
local function outcome(job, seconds)
  local messages, last = {}, nil
  local limit = core.ticks() + (seconds or 60)
  while not last do
    assert(job and core.ticks() < limit, "the job does not end")
    for _, event in ipairs(core.wait_jobs({job}, 1)) do
      assert(event.job == job and not last)
      if event.message then messages[#messages + 1] = event.message else last = event end
    end
  end
  last.job = nil
  return last, messages
end

local function outcome_of(f) return outcome(assert(core.fork(f))) end

-- A function that sleeps without using the processor, until it is interrupted.
local function sleep() core.run_program{"sleep", "60"} end

-- A program of Lua, run by another bnnlua; its result as core.run_program has it.
local function run_script(text, ...)
  local bnnlua = arg[-1]
  return assert(core.run_program({bnnlua, "-", ...}, text, 60))
end

-- Whether a process is gone, or will be soon.
local function ends_soon(pid)
  for _ = 1, 500 do
    local status = io.open(("/proc/%s/status"):format(pid))
    local is_zombie = status and status:read "a":find "State:%s+[ZX]"
    if status then status:close() end
    if not status or is_zombie then return true end
    core.run_program{"sleep", "0.01"}
  end
  return false
end

TestOutcomes = {}

function TestOutcomes.test_a_child_has_what_its_parent_has_and_changes_only_its_own()
  local t = {1, 2}
  local last, messages = outcome_of(function(send)
    t[#t + 1] = 3
    send(table.concat(t, " "))
  end)
  lu.assertEquals({last, messages, t}, {{status = 0}, {"1 2 3"}, {1, 2}})
end

function TestOutcomes.test_messages_come_whole_and_in_order()
  local texts = {"", "a\0b", ("x"):rep(1 << 20) .. "end", "z", ("y"):rep(3 << 20)}
  local last, messages = outcome_of(function(send)
    for _, text in ipairs(texts) do assert(send(text)) end
  end)
  lu.assertEquals(last, {status = 0})
  lu.assertEquals(#messages, #texts)
  for i, text in ipairs(texts) do lu.assertTrue(messages[i] == text, i) end
end

function TestOutcomes.test_an_error_comes_with_its_traceback()
  local last, messages = outcome_of(function(send)
    send "before"
    error "this is wrong"
  end)
  lu.assertEquals({last.status, messages}, {1, {"before"}})
  lu.assertStrContains(last.error, "test_jobs.lua:")
  lu.assertStrContains(last.error, "this is wrong\nstack traceback:")
  local shown = setmetatable({}, {__tostring = function() return "text" end})
  last = outcome_of(function() error(shown) end)
  lu.assertEquals(last, {status = 1, error = "text"})
  last = outcome_of(function() error {} end)
  lu.assertStrContains(last.error, "(error object is a table value)")
end

function TestOutcomes.test_refusals_interrupts_and_exits_have_their_status()
  for _, row in ipairs{
    {function() error(signal.refusal("no data", 3)) end, {status = 3, error = "no data"}},
    {function() os.exit() end, {status = 0}},
    {function() os.exit(true, true) end, {status = 0}},
    {function() os.exit(false) end, {status = 1}},
    {function() os.exit(77) end, {status = 77}},
  } do
    lu.assertEquals(outcome_of(row[1]), row[2])
  end
  for number, status in pairs{[2] = 130, [15] = 143} do
    local job = core.fork(function(send)
      send "ready"
      while true do end
    end)
    core.wait_jobs({job}, 60)
    lu.assertTrue(job:kill(number))
    lu.assertEquals(outcome(job).status, status)
    lu.assertFalse(job:kill(number))
  end
end

function TestOutcomes.test_a_child_that_was_killed_says_by_what()
  for _, number in ipairs{9, 6, 11} do
    local job = core.fork(function(send)
      core.redirect "stderr" -- where a sanitizer would report it
      send "ready"
      sleep()
    end)
    core.wait_jobs({job}, 60)
    lu.assertTrue(job:kill(number))
    local last = outcome(job)
    -- a sanitizer makes a status of a SIGSEGV
    lu.assertTrue(last.signal == number or number == 11 and last.status ~= 0)
  end
end

function TestOutcomes.test_a_message_that_a_kill_cuts_is_none()
  local job = core.fork(function(send)
    send "whole"
    send(("x"):rep(64 << 20))
  end)
  while #core.wait_jobs({job}, 0.01) == 0 do end
  core.run_program{"sleep", "0.05"} -- the socket is full
  job:kill(9)
  lu.assertEquals({outcome(job)}, {{signal = 9}, {}})
end

function TestOutcomes.test_many_jobs_run_at_once()
  local jobs, names, seen, ends = {}, {}, {}, 0
  for i = 1, MANY do
    jobs[i] = assert(core.fork(function(send)
      for k = 1, 3 do send(("%d %d"):format(i, k)) end
      if i % 2 == 0 then os.exit(i) end
    end))
    names[jobs[i]] = i
  end
  while ends < MANY do
    for _, event in ipairs(core.wait_jobs(jobs, 60)) do
      local i = names[event.job]
      if event.message then
        seen[i] = (seen[i] or 0) + 1
        lu.assertEquals(event.message, ("%d %d"):format(i, seen[i]))
      else
        lu.assertEquals({event.status, seen[i]}, {i % 2 == 0 and i or 0, 3})
        ends = ends + 1
      end
    end
  end
  lu.assertEquals(core.wait_jobs(jobs), {})
end

TestWaiting = {}

function TestWaiting.test_waiting_ends_with_the_time_or_with_the_last_job()
  local job <close> = core.fork(sleep)
  local start = core.ticks()
  lu.assertEquals(core.wait_jobs({job}, 0), {})
  lu.assertEquals(core.wait_jobs({job}, 0.05), {})
  local passed = core.ticks() - start
  lu.assertTrue(passed >= 0.05 and passed < 30)
  lu.assertEquals(core.wait_jobs{}, {})
  job:kill(9)
  outcome(job)
  lu.assertEquals(core.wait_jobs{job}, {})
end

function TestWaiting.test_misuse_raises()
  bits.raises("function expected", function() core.fork "x" end)
  bits.raises({"bnn.job expected", "number"}, core.wait_jobs, {1})
  local job = core.fork(sleep)
  bits.raises("signal: expected", job.kill, job, 0)
  job:close()
  job:close()
  bits.raises("job is closed", core.wait_jobs, {job})
  bits.raises("NaN", core.wait_jobs, {}, 0 / 0)
end

function TestWaiting.test_a_child_whose_parent_does_not_read_goes_on()
  local job = core.fork(function(send)
    local n, text = 0, ("x"):rep(1 << 16)
    while send(text, 0.01) do n = n + 1 end
    local ok, fault = send(text, 0.01)
    assert(ok == nil)
    send(n .. " " .. fault)
  end)
  core.run_program{"sleep", "0.3"}
  local last, messages = outcome(job)
  lu.assertEquals(last, {status = 0})
  lu.assertEquals(table.remove(messages), #messages .. " send: nobody has read for 0.01 s")
  for _, message in ipairs(messages) do lu.assertEquals(#message, 1 << 16) end
end

function TestWaiting.test_only_the_child_sends()
  local kept
  local job = core.fork(function(send)
    kept = send
    local inner = core.fork(function(own)
      local ok, fault = pcall(send, "from below")
      own(tostring(ok) .. " " .. fault)
    end)
    local _, messages = outcome(inner)
    send(messages[1])
  end)
  local last, messages = outcome(job)
  lu.assertEquals({last, kept}, {{status = 0}})
  lu.assertStrContains(messages[1], "false ")
  lu.assertStrContains(messages[1], "only the child that it was made for may send")
end

function TestWaiting.test_a_childs_jobs_are_its_own()
  local outer <close> = core.fork(sleep)
  local job = core.fork(function(send)
    send(tostring(pcall(core.wait_jobs, {outer}, 0)))
    send(tostring(pcall(outer.kill, outer, 9)))
    outer:close()
    local last, messages = outcome_of(function(own) own "grandchild" end)
    send(messages[1] .. " " .. last.status)
  end)
  local _, messages = outcome(job)
  lu.assertEquals(messages, {"false", "false", "grandchild 0"})
  lu.assertTrue(outer:kill(9))
end

TestSignals = {}

-- A job that sends a signal to this process.
local function signal_soon(number)
  local pid = select(2, core.host())
  return core.fork(function() core.run_program{"kill", "-" .. number, tostring(pid)} end)
end

function TestSignals.test_an_interrupt_ends_the_waiting()
  local start = core.ticks()
  local ok, fault = pcall(signal.guard, function()
    local job <close> = core.fork(sleep)
    local killer <close> = signal_soon(2)
    while core.ticks() < start + 50 do core.wait_jobs({job, killer}, 50) end
  end)
  lu.assertFalse(ok)
  lu.assertTrue(signal.is_interrupt(fault))
end

function TestSignals.test_a_signal_that_is_held_is_given_and_not_raised()
  local job <close> = core.fork(sleep)
  local events, number, again
  signal.hold(function()
    local killer = signal_soon(15)
    events, number = core.wait_jobs({job}, 60)
    lu.assertEquals(outcome(killer).status, 0)
    again = signal.take()
  end)
  lu.assertEquals({events, number, again}, {{}, 15})
end

function TestSignals.test_a_held_signal_that_nobody_took_is_raised_at_the_end()
  local reached
  local ok, fault = pcall(signal.hold, function()
    lu.assertEquals(core.run_program{"sh", "-c", "kill -INT $PPID; echo on"}.output, "on\n")
    reached = true
  end)
  lu.assertTrue(reached)
  lu.assertFalse(ok)
  lu.assertTrue(signal.is_interrupt(fault))
end

function TestSignals.test_a_child_does_not_hold_what_its_parent_holds()
  signal.hold(function()
    local job = core.fork(function(send)
      send "ready"
      while true do end
    end)
    core.wait_jobs({job}, 60)
    job:kill(2)
    lu.assertEquals(outcome(job).status, 130)
  end)
end

function TestSignals.test_children_end_with_their_parent()
  local script = [[
    local core = require "bnn.core"
    local function child(send)
      send "ready"
      core.run_program{"sleep", "60"}
    end
    local jobs = {}
    for i = 1, 3 do
      jobs[i] = core.fork(child)
      core.wait_jobs({jobs[i]}, 60)
      print(jobs[i]:pid())
    end
    io.stdout:flush()
    local how = ...
    if how == "kill" then core.run_program{"sh", "-c", "kill -9 $PPID; sleep 0.2"} end
    if how == "exit" then os.exit(0, false) end
    if how == "error" then error "end" end
  ]]
  for _, how in ipairs{"kill", "exit", "error", "end"} do
    local result = run_script(script, how)
    local n = 0
    for pid in result.output:gmatch "%d+" do
      n = n + 1
      lu.assertTrue(ends_soon(pid), how .. ": " .. pid .. " lives")
    end
    lu.assertEquals(n, 3, result.errors)
  end
end

TestFork = {}

function TestFork.test_what_the_parent_has_buffered_is_written_once()
  local path = os.tmpname()
  local result = run_script([[
    local core, path = require "bnn.core", ...
    local file = io.open(path, "w")
    file:write "file "
    io.write "parent "
    local job = core.fork(function()
      io.write "child "
      file:write "child "
      io.stderr:write "errors "
    end)
    while #core.wait_jobs{job} == 0 do end
    io.write "parent"
    file:write "end"
  ]], path)
  lu.assertEquals({result.output, result.errors, result.status},
    {"parent child parent", "errors ", 0})
  local file <close> = io.open(path)
  lu.assertEquals(file:read "a", "file child end")
  os.remove(path)
end

function TestFork.test_no_finalizer_of_the_parent_runs_in_the_child()
  local result = run_script [[
    local core = require "bnn.core"
    local kept = setmetatable({}, {__gc = function() print "finalized" end})
    local closed <close> = setmetatable({}, {__close = function() print "closed" end})
    for _, f in ipairs{function() end, error, os.exit, function() os.exit(0, true) end} do
      local job = core.fork(f)
      while #core.wait_jobs{job} == 0 do end
    end
    print "end"
  ]]
  lu.assertEquals(result.output, "end\nclosed\nfinalized\n")
end

function TestFork.test_a_child_reads_nothing_and_leads_a_group()
  local result = run_script [[
    local core = require "bnn.core"
    local job = core.fork(function(send)
      send(tostring(io.read()))
      local stat = io.open "/proc/self/stat":read "a"
      local pid, _, parent, group = stat:match "^(%d+) (%b()) %a (%d+) (%d+)"
      send(tostring(pid == group and pid ~= parent))
    end)
    local n = 0
    while n < 3 do
      for _, event in ipairs(core.wait_jobs{job}) do
        print(event.message or event.status)
        n = n + 1
      end
    end
  ]]
  lu.assertEquals(result.output, "nil\ntrue\n0\n", result.errors)
end

function TestFork.test_a_child_redirects_what_it_prints()
  local path = os.tmpname()
  local result = run_script([[
    local core, path = require "bnn.core", ...
    local job = core.fork(function()
      assert(core.redirect("stdout", path))
      assert(core.redirect "stderr")
      print "to the file"
      io.stderr:write "to nowhere\n"
      os.execute "echo also; echo nowhere >&2"
      local ok, fault = core.redirect("stdout", path .. "/no")
      print(ok, (fault:gsub("^.*: ", "")))
    end)
    while #core.wait_jobs{job} == 0 do end
    print "parent"
  ]], path)
  lu.assertEquals({result.output, result.errors}, {"parent\n", ""})
  local file <close> = io.open(path)
  lu.assertEquals(file:read "a", "to the file\nalso\nnil\tNot a directory\n")
  os.remove(path)
end

function TestFork.test_output_that_cannot_be_written_is_an_error()
  local full = io.open "/dev/full"
  if not full then lu.skip "no /dev/full" end
  local last = outcome_of(function()
    core.redirect("stdout", "/dev/full")
    print "lost"
  end)
  lu.assertEquals(last, {status = 1, error = "cannot write to standard output"})
end

function TestFork.test_a_lock_and_a_database_stay_the_parents()
  local folder = os.tmpname()
  os.remove(folder)
  assert(core.make_folder(folder))
  local lock = assert(core.lock_folder(folder))
  local path = folder .. "/a.db"
  local db = core.sql_version() and assert(core.sql_open(path, true))
  if db then
    db:run "PRAGMA journal_mode = WAL"
    db:run "CREATE TABLE t (x)"
    db:run "INSERT INTO t VALUES (1)"
  end
  local job <close> = core.fork(function(send)
    local own = db and core.sql_open(path, true)
    send(db and db:run "SELECT x FROM t" == nil and own:run "SELECT x FROM t"[1][1] or 1)
    if db then db:close() end
    lock:release()
    send(tostring(core.lock_folder(folder)))
    sleep()
  end)
  local messages = {}
  while #messages < 2 do
    for _, event in ipairs(core.wait_jobs({job}, 60)) do messages[#messages + 1] = event.message end
  end
  lu.assertEquals(messages, {"1", "nil"})
  if db then
    lu.assertEquals(db:run "SELECT x FROM t", {{1}})
    local wal = io.open(path .. "-wal")
    lu.assertNotNil(wal, "the log of the parent is there")
    wal:close()
    db:close()
  end
  lock:release()
  local again = core.lock_folder(folder)
  lu.assertNotNil(again, "released for both")
  again:release()
  os.remove(path)
  os.remove(folder)
end

function TestFork.test_no_descriptors_are_refused()
  local script = [[
    local core = require "bnn.core"
    local job = core.fork(function() end) -- what is loaded late is loaded now
    while #core.wait_jobs{job} == 0 do end
    local files = {}
    repeat files[#files + 1] = io.open "/dev/null" until #files > 0 and not io.open "/dev/null"
    print(core.fork(function() end))
    for _, file in ipairs(files) do file:close() end
    job = core.fork(function() end)
    print(core.wait_jobs{job}[1].status)
  ]]
  local result = core.run_program({"sh", "-c", 'ulimit -n 64; exec "$0" -', arg[-1]}, script, 60)
  lu.assertEquals(result.output, "nil\ta process: Too many open files\n0\n", result.errors)
end

-- The open files and the children of this process.
local function held()
  local files = core.run_program{"sh", "-c", "sleep 0.1; ls /proc/$PPID/fd"}.output
  local _, count = files:gsub("\n", "")
  local children = core.run_program{"sh", "-c", "cat /proc/$PPID/task/*/children"}.output
  return count, (children:gsub("%d+ ?", "", 1)) -- without the one that is asking
end

function TestFork.test_jobs_that_are_garbage_are_killed_and_nothing_is_left()
  if not io.open "/proc/self/stat" then return end
  collectgarbage()
  collectgarbage()
  local files, children = held()
  local blocks = core.memory()
  local pids = {}
  for i = 1, 20 do
    pids[i] = core.fork(i % 2 == 0 and sleep or function(send) send "x" end):pid()
    outcome_of(function(send) send(("x"):rep(1 << 18)) end)
  end
  collectgarbage()
  collectgarbage()
  for _, pid in ipairs(pids) do lu.assertTrue(ends_soon(pid)) end
  lu.assertEquals({held()}, {files, children})
  lu.assertEquals((core.memory()), blocks)
end

TestTraining = {}

-- The bits that a training on some threads ends with; the products are large enough for both.
local function train(threads)
  bnn.threads(threads)
  local x = bnn.randn(bnn.key(2), 256, 64)
  local net = bnn.nn.mlp{64, 64, 1}
  local key = bnn.key(3)
  local q = bnn.posterior.meanfield(net:init(key, x))
  local objective = bnn.elbo{
    net = net, posterior = q, likelihood = bnn.likelihood.gaussian{sigma = 1}, beta = 1e-3,
  }
  bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = 1e-2}, key = key, steps = 8,
    data = bnn.data.from_tensors{x = x, y = x:sum(2):view(256, 1)}, batch_size = 128,
  }
  return table.concat(bits.of(q.mu.flat), " ") .. " " .. table.concat(bits.of(q.logvar.flat), " ")
end

function TestTraining.test_children_train_to_the_same_bits_on_any_number_of_threads()
  local before = bnn.threads()
  local one, two = train(1), train(2) -- both have been used before the forks
  lu.assertTrue(one == two)
  for parents = 1, 2 do
    train(parents)
    for threads = 0, 3 do
      local last, messages = outcome_of(function(send)
        send(core.threads() .. " " .. train(threads > 0 and threads or core.threads()))
      end)
      lu.assertEquals(last, {status = 0})
      lu.assertTrue(messages[1] == "1 " .. one, threads)
      lu.assertEquals(bnn.threads(), parents)
    end
    lu.assertTrue(train(parents) == one)
  end
  bnn.threads(before)
end

function TestTraining.test_a_child_may_drop_the_ensemble_that_its_parent_trains()
  local x = bnn.randn(bnn.key(2), 64, 3)
  local ends = {}
  bnn.ensemble{members = 2, threads = 2, key = bnn.key(1), fit = function(key)
    local params = bnn.nn.linear(1):init(key, x)
    local objective = bnn.objective{params = params, loss = function(p, batch)
      return ((batch.x:mm(p["linear/w"]) - 1) ^ 2):sum(2)
    end}
    bnn.train{
      objective = objective, optimizer = bnn.optim.adam{lr = 1e-2}, key = key,
      data = bnn.data.from_tensors{x = x}, batch_size = 8, steps = 5, on_step = function(step)
        if step ~= 3 then return end
        ends[#ends + 1] = outcome_of(function()
          collectgarbage()
          assert(train(2) == train(1))
        end)
      end,
    }
    return params
  end}
  lu.assertEquals(ends, {{status = 0}, {status = 0}})
end

os.exit(lu.LuaUnit.run(), true)
