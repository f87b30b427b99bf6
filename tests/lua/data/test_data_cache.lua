--- Sets that are loaded once in a process, and shared with the children of a fork.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local idx = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"
local data_cache = require "bnn.data.data_cache"
local observer = require "bnn.base.observer"

local here = idx.folder()

-- A table of two columns at a new path.
local n_tables = 0
local function new_table(rows)
  n_tables = n_tables + 1
  local path = ("%s/%d.csv"):format(here, n_tables)
  local file <close> = assert(io.open(path, "w"))
  file:write("a,b\n", rows or "1,2\n3,4\n")
  return path
end

-- What a child sends, which must end well.
local function messages_of(f)
  local job <close> = assert(core.fork(f))
  local messages = {}
  for _ = 1, 1000 do
    for _, event in ipairs(core.wait_jobs({job}, 60)) do
      if not event.message then
        lu.assertEquals(event.status, 0, event.error)
        return messages
      end
      messages[#messages + 1] = event.message
    end
  end
end

TestCache = {}

function TestCache:setUp() data_cache.enable() end
function TestCache:tearDown() data_cache.enable(false) end

function TestCache.test_it_is_off_until_it_is_enabled()
  data_cache.enable(false)
  local path = new_table()
  lu.assertFalse(rawequal(bnn.data.load(path).train.x, bnn.data.load(path).train.x))
  lu.assertEquals(data_cache.loads(), {})
end

function TestCache.test_the_same_set_has_the_same_tensors_in_tables_of_its_own()
  local path = new_table()
  local first = bnn.data.load(path, {label = "b"})
  os.remove(path)
  first.name, first.train.size, first.mine = "mine", 0, true
  local again = bnn.data.load(path, {label = "b"})
  lu.assertTrue(rawequal(again.train.x, first.train.x) and rawequal(again.train.y, first.train.y))
  lu.assertEquals({again.name, again.train.size, again.mine}, {path:match "[^/]+$", 2})
  lu.assertEquals(again.train:slice(1, 1).size, 1)
  lu.assertStrContains(tostring(again), "data set: ")
end

function TestCache.test_options_tell_sets_apart()
  local path = new_table()
  local seen = {}
  for _, opts in ipairs{
    {false}, {{}}, {{label = "a"}}, {{label = "b"}}, {{label = "b", classes = {"2", "4"}}},
    {{label = "b", classes = {"4", "2"}}},
  } do
    local x = bnn.data.load(path, opts[1] or nil).train.x
    lu.assertNil(seen[x])
    seen[x] = true
  end
  lu.assertEquals(#data_cache.loads(), 6)
end

function TestCache.test_options_that_are_not_plain_are_not_kept()
  local path, n = new_table(), 0
  local part = bnn.data.load(path).train
  for _ = 1, 2 do
    bnn.data.load(path, {like = part})
    bnn.data.load("drawn", {set = {name = "drawn", generate = function()
      n = n + 1
      return {train = part}
    end}})
  end
  lu.assertEquals({n, #data_cache.loads()}, {2, 1})
end

function TestCache.test_a_refusal_is_not_kept()
  local path = new_table()
  os.remove(path)
  lu.assertNil(bnn.data.load(path))
  local file <close> = io.open(path, "w")
  file:write "a\n1\n"
  file:flush()
  lu.assertNotNil(bnn.data.load(path))
end

function TestCache.test_each_load_is_told()
  local path, told = new_table(), {}
  observer.listen{data = function(set) told[#told + 1] = set end}
  local first, again = bnn.data.load(path), bnn.data.load(path)
  data_cache.preload{name = path}
  observer.listen(nil)
  lu.assertEquals(#told, 2)
  lu.assertTrue(told[1] == first and told[2] == again)
end

function TestCache.test_what_a_child_had_to_read_its_parent_loads_for_the_next()
  local path = new_table()
  local own = new_table()
  bnn.data.load(own)
  local function read(send)
    bnn.data.load(own)
    bnn.data.load(path, {label = "b", classes = {"2", "4"}})
    for _, load in ipairs(data_cache.loads()) do
      send(("%s %s %s"):format(load.name, load.options.label, load.options.classes[2]))
    end
  end
  lu.assertEquals(messages_of(read), {path .. " b 4"})
  lu.assertNotNil(data_cache.preload{name = path, options = {label = "b", classes = {"2", "4"}}})
  os.remove(path)
  lu.assertEquals(messages_of(read), {})
  lu.assertEquals(#data_cache.loads(), 2)
end

-- The kilobytes of memory that only this process has.
local function private_kb()
  local file <close> = assert(io.open "/proc/self/smaps_rollup")
  local text, kb = file:read "a", 0
  for n in text:gmatch "Private_%a+:%s*(%d+) kB" do kb = kb + tonumber(n) end
  return kb
end

function TestCache.test_children_share_the_pages_of_a_set()
  if not io.open "/proc/self/smaps_rollup" then lu.skip "no smaps_rollup" end
  local path, rows, columns = here .. "/large.npz", 4096, 1024 -- 16 MiB, or 32 in double
  assert(bnn.data.save(path, {x_train = bnn.ones(rows, columns)}))
  local size_kb = rows * columns * 4 // 1024
  local function read(send)
    local before = private_kb()
    local set = bnn.data.load(path)
    assert(set.train.x:sum():item() == rows * columns)
    send(tostring(private_kb() - before))
    core.run_program{"sleep", "0.05"} -- so that both are there at once
  end
  local function private_of_two()
    local jobs, kb = {core.fork(read), core.fork(read)}, {}
    while #kb < 2 do
      for _, event in ipairs(core.wait_jobs(jobs, 60)) do
        lu.assertEquals(event.status or 0, 0, event.error)
        kb[#kb + 1] = tonumber(event.message)
      end
    end
    return math.min(table.unpack(kb)), math.max(table.unpack(kb))
  end
  local least = private_of_two()
  lu.assertTrue(least >= size_kb, "each has read its own: " .. least)
  data_cache.preload{name = path}
  local _, most = private_of_two()
  lu.assertTrue(most < size_kb / 4, "shared: " .. most)
  os.remove(path)
end

os.exit(lu.LuaUnit.run(), true)
