--- Trainings side by side: functions that train, each a coroutine, whose steps are made on a thread
-- each. What a function computes does not depend on it, as a step's bits do not depend on threads.
--
-- A coroutine that comes to a step (objective:step, and so bnn.train) hands it to the lanes and
-- waits there, while others go on; all else of it runs in Lua's thread, one after the other.
local core = require "bnn.core"

local M = {}

local lane_of -- coroutine -> true while it runs side by side

local function forget_all() lane_of = setmetatable({}, {__mode = "k"}) end

core.on_fork(forget_all) -- a child's steps are made in its own thread
forget_all()

--- Whether the running coroutine is one of several side by side.
function M.is_inside() return lane_of[coroutine.running()] ~= nil end

--- Makes a step on a lane: from within one of the coroutines, in place of objective:step of the
-- runtime.
-- @return loss; or nil, message
function M.step(objective, ...)
  local loss, message, is_misuse, interrupt = coroutine.yield(objective, ...)
  if interrupt then error(interrupt, 0) end
  if is_misuse then error(message, 0) end
  return loss, message
end

-- Goes on with a coroutine: notes its step's ticket, or what it returned. Errors end the batch.
local function go_on(batch, member, ...)
  local results = table.pack(coroutine.resume(member.thread, ...))
  if not results[1] then
    lane_of[member.thread] = nil
    batch.fault = batch.fault or results[2]
    coroutine.close(member.thread) -- its variables that are to be closed
  elseif coroutine.status(member.thread) == "dead" then
    lane_of[member.thread] = nil
    batch.results[member.i] = table.pack(table.unpack(results, 2, results.n))
  else
    local ticket = batch.lanes:step(table.unpack(results, 2, results.n))
    batch.out[ticket] = member
  end
end

-- Takes a step that has ended, and goes on with whose it is; false when none is out.
local function take(batch)
  local ticket, loss, message, is_misuse = batch.lanes:wait()
  if not ticket then return false end
  local member = batch.out[ticket]
  batch.out[ticket] = nil
  if not member then
    return true -- an interrupt came before it was noted: end_all knows whose it is
  elseif batch.fault == nil then
    go_on(batch, member, loss, message, is_misuse)
  else
    go_on(batch, member, loss, message, is_misuse, batch.fault) -- all end as the first did
  end
  return true
end

local function drive(batch, members)
  for _, member in ipairs(members) do
    if batch.fault == nil then
      member.has_begun = true
      go_on(batch, member)
    end
  end
  while take(batch) do end
end

-- Ends all that have begun by what ended the first: what they are to close is closed, and trainings
-- that are interrupted write their checkpoints.
local function end_all(batch, members)
  while take(batch) do end
  for _, member in ipairs(members) do -- an interrupt may come before a step is handed over
    local is_left = member.has_begun and coroutine.status(member.thread) == "suspended"
    if is_left then go_on(batch, member, nil, nil, nil, batch.fault) end
  end
  while take(batch) do end
end

-- Runs members [from, to], interleaved; an error of one, or an interrupt, ends them all.
local function run_batch(lanes, functions, results, from, to)
  local batch, members = {lanes = lanes, results = results, out = {}}, {}
  for i = from, to do
    local thread = coroutine.create(functions[i])
    lane_of[thread] = true
    members[#members + 1] = {i = i, thread = thread}
  end
  local ok, fault = pcall(drive, batch, members)
  if not ok then batch.fault = fault end
  if batch.fault ~= nil then end_all(batch, members) end
  if batch.fault ~= nil then error(batch.fault, 0) end
end

--- Runs functions side by side.
-- @param functions list
-- @param n integer: threads
-- @return list of what each returned, packed
-- Raises what the first of them to fail raised, after the others have ended.
function M.run(functions, n)
  local results, count = {}, #functions
  local lanes <close> = core.lanes(n)
  -- Batches of equal size, at most four for a thread: memory for no more at once. All of a batch go
  -- on together, so that a thread that ends a step finds the next one waiting, and none is idle
  -- while another has a whole training left. Five on two threads took 2.8 times one; in batches of
  -- two for a thread, 3.0 times.
  local batches = math.ceil(count / (4 * n))
  local from = 1
  for b = 1, batches do
    local to = count * b // batches
    run_batch(lanes, functions, results, from, to)
    from = to + 1
  end
  return results
end

return M
