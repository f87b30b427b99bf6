--- A connection to the store of a ledger that is made again when it is lost.
--
-- A statement is sent once. `persist` calls a function until the connection holds for all of it:
-- what it writes may have been written the time before, with the answer lost, so that it names
-- attempts or says ON CONFLICT. SQLite loses no connections.
--
-- The child of a fork must not use its parent's connection: it makes one of its own.
local core = require "bnn.core"
local strings = require "bnn.base.strings"

local M = {}

local FIRST_WAIT, LONGEST_WAIT = 0.1, 5 -- seconds
local FIRST_NOTICE, NEXT_NOTICE = 5, 60

--- For how many seconds what is lost is tried again, unless something else is said.
M.PATIENCE = 60

local Link = {__name = "bnn.store_link"}
Link.__index = Link

local links = setmetatable({}, {__mode = "k"})

core.on_fork(function()
  for link in pairs(links) do
    if link.store.outlives_fork then link.db = nil end
  end
end)

-- A number from 0.5 to 1.5; not from the script's generator, which forked processes share.
local function jitter()
  local source <close> = io.open("/dev/urandom", "rb")
  local bytes = source and source:read(2)
  return 0.5 + (bytes and string.unpack("<I2", bytes) / 65535 or 0.5)
end

M.jitter = jitter

--- Makes a link, which is not connected yet.
-- @param store bnn.store.store_sqlite or a sibling
-- @param place string: the path or the URL
-- @param opts table: may_write; ms, how long to wait for a statement, or nil; prepare,
--   function(link) -> true; or nil, message: what a new connection begins with
function M.new(store, place, opts)
  local link = setmetatable({
    store = store, place = place, may_write = opts.may_write, ms = opts.ms,
    prepare = opts.prepare, patience = store.outlives_fork and M.PATIENCE or 0,
  }, Link)
  links[link] = true
  return link
end

--- Connects, unless it is connected.
-- @return true; or nil, message, kind ("lost": the server may be there later)
function Link:connect()
  if self.db then return true end
  local db, fault, kind = self.store.open(self.place, self.may_write, self.ms)
  if not db then return nil, fault, kind end
  self.db, self.is_lost = db, false
  local _ <close> = setmetatable({}, {__close = function(_, err)
    if err ~= nil then self:close() end -- an interrupt
  end})
  local ok, why = self:prepare()
  if ok and self.topic then ok, why = self:listen_again() end
  if ok then return true end
  kind = self.is_lost and "lost" or nil
  self:close()
  return nil, why, kind
end

--- Closes the connection. Calling it twice is safe.
function Link:close()
  if self.db then self.db:close() end
  self.db = nil
end

--- Closes what does not outlive a fork.
function Link:before_fork()
  if not self.store.outlives_fork then self:close() end
end

--- Runs one statement, as it is.
-- @return rows, names; or nil, message, kind
function Link:run_plain(sql, ...)
  if not self.db then return nil, "the connection is lost", "lost" end
  local rows, names, kind = self.db:run(sql, ...)
  if not rows and kind == "lost" then
    self.is_lost = true
    self:close()
  elseif not rows and kind == "busy" and self.store.outlives_fork then
    self.has_conflict = true
  end
  return rows, names, kind
end

-- Statements with the store's words in them.
local expanded = {}

--- A statement with {now} and the like replaced by what the store has for it.
function M.expand(store, sql)
  local known = expanded[store.kind] or {}
  expanded[store.kind] = known
  if not known[sql] then known[sql] = sql:gsub("{([%l_]+)}", store.words) end
  return known[sql]
end

--- Runs one statement, in which {now} and the like are the store's.
-- @return rows, names; or nil, message, kind
function Link:run(sql, ...) return self:run_plain(M.expand(self.store, sql), ...) end

-- ---- notifications ----

-- Listens on a new connection; what has come meanwhile is not known.
function Link:listen_again()
  local rows, fault = self:run(self.store.CHANNEL, self.topic)
  local ok = rows ~= nil
  if rows then ok, fault = self.db:listen(rows[1][1]) end
  self.was_notified = true
  return ok, fault
end

--- Has notifications of a topic come in, those of the store's channel for it.
-- @return boolean: whether the store has such
function Link:listen(topic)
  if not self.store.CHANNEL then return false end
  if self.topic ~= topic then self:close() end -- the next connection listens
  self.topic = topic
  return true
end

--- Whether a notification has come since the last call; without asking the server.
function Link:notified()
  local was = self.was_notified or false
  self.was_notified = false
  return self.db ~= nil and self.topic ~= nil and self.db:notified() or was
end

-- ---- lost connections ----

-- Waits; an interrupt ends the program, or what is held until its end.
local function wait(seconds)
  local _, number = core.wait_jobs({}, seconds)
  if not number then return end
  require "bnn.signal".raise(number)
end

-- Says that it waits, at times; returns the seconds until the next time.
local function say(self, began, message)
  local now = core.ticks()
  if now >= self.next_notice then
    self.next_notice = now + NEXT_NOTICE
    strings.notice(strings.message("waiting for the ledger, %.0f s so far: %s", now - began,
      message))
  end
  return self.next_notice - now
end

--- Calls f(is_again) until neither the connection is lost in it nor two transactions are in each
-- other's way, or until the link's patience is over.
-- @param f function -> a true value, ...; or nil or false, message. It is not called while there is
--   no connection
-- @return what f returned; or nil, message
function Link:persist(f)
  local began, pause, is_again = core.ticks(), FIRST_WAIT, false
  self.next_notice = began + FIRST_NOTICE
  while true do
    self.is_lost, self.has_conflict = false, false
    local results = table.pack(self:connect())
    local is_connected = results[1]
    if is_connected then results = table.pack(f(is_again)) end
    local may_again = self.is_lost or self.has_conflict
    if not is_connected then may_again = results[3] == "lost" end
    if results[1] or not may_again then return table.unpack(results, 1, results.n) end
    if core.ticks() - began + pause > self.patience then return nil, results[2], "lost" end
    wait(math.min(pause * jitter(), say(self, began, results[2])))
    pause, is_again = math.min(2 * pause, LONGEST_WAIT), is_again or is_connected
  end
end

return M
