--- Where the ledger of a folder of runs is: what is refused, what a root keeps, passwords; and
-- folders that have no database.
package.path = (arg[0]:match "^.*/" or "./") .. "../?.lua;" .. package.path
local lu = require "luaunit"
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local ledger_move = require "bnn.records.ledger_move"
local ledger_place = require "bnn.records.ledger_place"
local recorded_runs = require "recorded_runs"
local run_folder = require "bnn.records.run_folder"
local run_list = require "bnn.records.run_list"

local in_folder = recorded_runs.in_folder

TestPlaces = {}

function TestPlaces.test_places_are_words_or_urls()
  for _, text in ipairs{"sqlite", "folder", "postgresql://host/db", "postgres://u@h:5/db?sslmode=x",
                        "postgresql:///db?host=/tmp/s&passfile=/p"} do
    lu.assertEquals(ledger_place.parse(text), text)
  end
  for _, text in ipairs{"", "SQLite", "mysql://host/db", "runs.db", "postgresql:host"} do
    local place, fault = ledger_place.parse(text)
    lu.assertNil(place)
    lu.assertStrContains(fault, "expected sqlite, folder or postgresql://host/db, got '")
  end
  lu.assertStrContains(select(2, ledger_place.parse "postgresql://host/d b"), "no spaces")
end

function TestPlaces.test_passwords_are_refused_and_not_repeated()
  for _, text in ipairs{
    "postgresql://me:secret@host/db", "postgres://me:secret@host", "postgresql://me:@host/secret",
    "postgresql://a@b:secret@host/db", "postgresql://host/db?password=secret",
    "postgresql://host/db?x=1&pass%77ord=secret", "postgresql://host?sslpassword=secret",
  } do
    local place, fault = ledger_place.parse(text)
    lu.assertNil(place)
    lu.assertStrContains(fault, "~/.pgpass")
    lu.assertNil(fault:find("secret", 1, true))
  end
  lu.assertNil(select(2, ledger_place.parse "host=h password=secret"):find("secret", 1, true))
end

TestRoots = {}

-- The environment is what settle asks last.
local function with_variable(value, use)
  local getenv = os.getenv
  os.getenv = function(name) -- luacheck: ignore 122
    if name == "BNNLUA_LEDGER" then return value end
    return getenv(name)
  end
  local ok, fault = pcall(use)
  os.getenv = getenv -- luacheck: ignore 122
  if not ok then error(fault, 0) end
end

function TestRoots.test_a_root_keeps_the_place_that_it_got()
  in_folder(function(root)
    with_variable(nil, function()
      lu.assertNil(ledger_place.find(root))
      lu.assertEquals(ledger_place.settle(root, "folder"), "folder")
      lu.assertEquals(run_folder.read(root .. "/ledger.txt"), "folder\n")
      lu.assertEquals(ledger_place.settle(root), "folder")
      local place, fault = ledger_place.settle(root, "sqlite")
      lu.assertNil(place)
      lu.assertStrContains(fault, "is folder; `bnnlua -m runs move --runs=" .. root
        .. " --ledger=sqlite` moves it")
    end)
    with_variable("sqlite", function() lu.assertEquals(ledger_place.settle(root), "folder") end)
  end)
end

function TestRoots.test_the_variable_is_for_roots_that_have_none()
  in_folder(function(root)
    with_variable("folder", function()
      lu.assertEquals(ledger_place.settle(root .. "/a/b"), "folder")
      lu.assertEquals(ledger_place.find(root .. "/a/b"), "folder")
      lu.assertEquals(ledger_place.settle(root, "sqlite"), "sqlite")
    end)
    with_variable("nonsense", function()
      local place, fault = ledger_place.settle(root)
      lu.assertNil(place)
      lu.assertStrContains(fault, "$BNNLUA_LEDGER: expected sqlite")
    end)
    lu.assertNil(ledger_place.find(root))
  end)
end

function TestRoots.test_a_file_that_says_nonsense_is_named()
  in_folder(function(root)
    recorded_runs.write(root .. "/ledger.txt", "postgresql://me:secret@host/db\n")
    for _, f in ipairs{ledger_place.find, ledger_place.settle} do
      local place, fault = f(root)
      lu.assertNil(place)
      lu.assertStrContains(fault, root .. "/ledger.txt: a URL with a password")
    end
    local book, fault = ledger.open(root, true)
    lu.assertNil(book)
    lu.assertStrContains(fault, "ledger.txt")
  end)
end

TestFolder = {}

function TestFolder.test_without_a_database_the_folders_are_all()
  in_folder(function(root)
    assert(ledger_place.settle(root, "folder"))
    local id = recorded_runs.make(root, {seed = 1}, {loss = 3})
    for _, may_write in ipairs{true, false} do
      local book, fault, kind = ledger.open(root, may_write)
      lu.assertNil(book)
      lu.assertStrContains(fault, "has no ledger but its folders")
      lu.assertEquals(kind, "none")
    end
    local runs = assert(run_list.read(root))
    lu.assertEquals({#runs, runs[1].id, runs[1].metrics.loss.value}, {1, id, 3})
    lu.assertEquals(runs[1].folder, ("%s:%s/%s"):format(core.host(), root, id))
    lu.assertNil(io.open(root .. "/runs.db"))
  end)
end

TestMove = {}

function TestMove.test_to_folders_and_back()
  if not core.sql_version() then lu.skip "no SQLite in this program" end
  in_folder(function(root)
    recorded_runs.make(root, {seed = 1}, {loss = 3})
    assert(run_list.rebuild(root))
    assert(ledger_move.move(root, "folder"))
    lu.assertEquals(ledger_place.find(root), "folder")
    lu.assertNil(io.open(root .. "/runs.db"))
    local kept = 0
    for name in pairs(core.list_dir(root)) do
      if name:find "^runs%.db%.moved%-%d+%-%d+$" then kept = kept + 1 end
    end
    lu.assertEquals(kept, 1)
    lu.assertStrContains(select(2, ledger_move.move(root, "folder")), "is folder already")
    recorded_runs.write(root .. "/sweeps/s/queue/1.trial", "old")
    local text, is_new = ledger_move.move(root, "sqlite")
    lu.assertStrContains(text, "is sqlite")
    lu.assertFalse(core.is_folder(root .. "/sweeps/s/queue"))
    lu.assertStrContains(next(core.list_dir(root .. "/sweeps/s")), "queue.moved-")
    lu.assertTrue(is_new)
    lu.assertEquals(run_list.rebuild(root), 1)
    lu.assertEquals(ledger_place.find(root), "sqlite")
  end)
end

function TestMove.test_not_while_a_run_is_made()
  if not core.sql_version() then lu.skip "no SQLite in this program" end
  in_folder(function(root)
    local id = recorded_runs.make(root, {seed = 1}, {loss = 3}, {status = "running"})
    assert(run_list.rebuild(root))
    local lock <close> = setmetatable({core.lock_folder(root .. "/" .. id)},
      {__close = function(self) self[1]:release() end})
    lu.assertNotNil(lock[1])
    local done, fault = ledger_move.move(root, "folder")
    lu.assertNil(done)
    lu.assertEquals(fault, id .. ": is still running")
    lu.assertEquals(ledger_place.find(root), "sqlite")
  end)
end

-- Another program, not a fork of this one, which would have its list of locks.
local function in_another(program)
  return os.execute(("%s -e '%s'"):format(arg[-1], program))
end

-- A process that closes a file ends its own locks of it: another's last connection would take away
-- the log that this one's writes.
function TestPlaces.test_looking_for_a_ledger_leaves_its_locks_alone()
  in_folder(function(root)
    local book <close> = assert(ledger.open(root, true))
    local add = "INSERT INTO sweep VALUES ($1, $2, $2) RETURNING 1"
    assert(book:ask(add, "a", ""))
    lu.assertEquals(ledger_place.find(root), "sqlite")
    local open = ("local book = assert(require [[bnn.records.ledger]].open([[%s]], true)) "):format(
      root)
    lu.assertTrue(in_another(open .. "book:close()"))
    assert(book:ask(add, "b", ""))
    lu.assertTrue(in_another(open .. "assert(#book:ask [[SELECT id FROM sweep]] == 2)"))
  end)
end

os.exit(lu.LuaUnit.run())
