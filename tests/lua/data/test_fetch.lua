--- Downloads from a local mirror that misbehaves on request: each ends as it should, and the cache
-- is as it was. Where data sets are looked for, and in what order. Nothing leaves the machine.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local idx = require "idx_files"
local mirrors = require "mirror"
local bnn = require "bnn"
local core = require "bnn.core"
local fetch = require "bnn.data.fetch"
local dataset_registry = require "bnn.data.dataset_registry"

local here = idx.folder()
local served = here .. "/served"
local CAN = core.can_fetch() and mirrors.has "python3" and idx.has_gzip()

-- ---- the environment, the standard error and a folder's contents ----

local environment = {}
local getenv = os.getenv
os.getenv = function(name) -- luacheck: ignore 122
  for _, mine in ipairs{
    "BNNLUA_DATA", "BNNLUA_OFFLINE", "BNNLUA_MIRRORS", "XDG_CACHE_HOME", "XDG_DATA_DIRS", "HOME",
    "SSL_CERT_FILE",
  } do
    if name == mine then return environment[name] end
  end
  return getenv(name)
end

-- What f writes to io.stderr, and its results.
local function stderr_of(f, ...)
  local real, path = io.stderr, here .. "/stderr"
  local file = assert(io.open(path, "w"))
  io.stderr = file -- luacheck: ignore 122
  local results = table.pack(pcall(f, ...))
  io.stderr = real -- luacheck: ignore 122
  file:close()
  local text = assert(io.open(path)):read "a"
  if not results[1] then error(results[2], 0) end
  return text, table.unpack(results, 2, results.n)
end

-- Everything below a folder, with sizes and checksums: nil where it does not exist.
local function contents(path)
  local list = "cd '%s' 2>/dev/null && find . | sort && find . -type f | sort | xargs -r cksum"
  local pipe = io.popen(list:format(path))
  local text = pipe:read "a"
  pipe:close()
  return text ~= "" and text or nil
end

local made = 0
local function place()
  made = made + 1
  local path = ("%s/%d"):format(here, made)
  idx.make(path)
  return path
end

-- ---- a small set, and the mirror that serves it ----

local row = {name = "small", title = "Small", about = "for tests", mirrors = {}, files = {}}
local mirror

local function make_row()
  idx.set(served, 30, 20, {side = 10})
  for _, name in ipairs{
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
  } do
    local sha256, bytes = core.digest(served .. "/" .. name)
    row.files[#row.files + 1] = {name .. ".gz", bytes, sha256}
    idx.gzip(served .. "/" .. name)
  end
end

if CAN then
  make_row()
  mirror = mirrors.start(folder .. "/../mirror.py", served)
end

local cache -- of the test that runs

-- A machine that others use too may give the mirror no time for a second.
local PATIENT = {connect_ms = 20000, stall_s = 30}
local HASTY = {limits = {connect_ms = 20000, stall_s = 1}}

-- Loads the small set from the mirror's ways (a path's first part, or a whole URL).
local function load(ways, opts)
  local all = {set = row, mirrors = {}, limits = PATIENT}
  for i, way in ipairs(ways) do
    all.mirrors[i] = way:find "://" and way or mirror.http .. "/" .. way
  end
  for name, value in pairs(opts or {}) do all[name] = value end
  local text, data, fault, cause = stderr_of(bnn.data.load, "small", all)
  return data, fault, cause, text
end

local function assert_loaded(data, fault)
  lu.assertNil(fault)
  lu.assertEquals({data.train.size, data.test.size}, {30, 20})
  lu.assertEquals({data.name, data.title}, {"small", "Small"})
  lu.assertEquals(data.dir, cache .. "/bnnlua/small")
end

-- The download fails with these pieces in one line, and the cache is as it was.
local function assert_fails(pieces, ways, opts)
  local before = contents(cache)
  local data, fault, cause = load(ways, opts)
  lu.assertNil(data)
  lu.assertStrContains(fault, "no small data")
  lu.assertNil(fault:find "\n")
  for _, piece in ipairs(pieces) do lu.assertStrContains(fault, piece) end
  lu.assertEquals(contents(cache), before)
  return cause, fault
end

local function set_up()
  environment = {HOME = "/nonexistent", XDG_DATA_DIRS = "/nonexistent"}
  cache = here .. "/cache" .. made
  environment.XDG_CACHE_HOME = cache
  made = made + 1
  if mirror then mirror.requests() end
end

TestDownload = {setUp = function()
  set_up()
  lu.skipIf(not CAN, "needs python3, gzip, libcurl and libcrypto")
end}

function TestDownload.test_a_set_is_downloaded_once_and_then_in_the_cache()
  local data, fault, _, text = load{"good"}
  assert_loaded(data, fault)
  lu.assertEquals(#mirror.requests(), 4)
  local _, lines = text:gsub("\n", "")
  lu.assertEquals(lines, 4) -- no terminal: a line a file
  lu.assertStrContains(text, "downloading " .. mirror.http .. "/good/t10k-labels-idx1-ubyte.gz")
  local there = contents(cache)
  lu.assertNil(there:find "part")
  data, fault, _, text = load{"good"}
  assert_loaded(data, fault)
  lu.assertEquals({#mirror.requests(), text, contents(cache)}, {0, "", there})
  assert_loaded(load({"missing"}, {offline = true}))
  environment.BNNLUA_OFFLINE = "1"
  assert_loaded(load{"missing"})
end

function TestDownload.test_the_next_mirror_is_tried_and_the_good_one_kept()
  for _, bad in ipairs{"missing", "wrong", "cut", "half", "page", "empty", mirror.closed, "loop"} do
    set_up()
    local data, fault, _, text = load{bad, "good"}
    assert_loaded(data, fault)
    local extra = ({[mirror.closed] = 0, loop = 6})[bad] or 1
    lu.assertEquals(#mirror.requests(), 4 + extra, bad)
    lu.assertStrContains(text, "; trying the next mirror")
    lu.assertNil(contents(cache):find "part")
  end
end

function TestDownload.test_redirects_and_plain_files()
  assert_loaded(load{"redirect"})
  lu.assertEquals(#mirror.requests(), 8)
  set_up()
  assert_loaded(load{"plain"})
end

function TestDownload.test_what_is_wrong_is_said_and_what_to_do()
  local file = "/train-images-idx3-ubyte.gz: "
  local rows = {
    missing = {"expected HTTP status 200, got 404"}, empty = {"expected HTTP status 200, got 204"},
    wrong = {"expected a payload of SHA-256 " .. ((row.files[1] or {})[3] or "")},
    cut = {"bytes remaining"}, half = {"the gzip data are cut short"},
    page = {"expected 3016 bytes, got 26"}, loop = {"redirects"}, file = {"file"},
    endless = {"sends more than 68555 bytes for a payload of 3016"},
    bomb = {"sends more than 68555 bytes"},
  }
  for how, pieces in pairs(rows) do
    pieces[#pieces + 1] = mirror.http .. "/" .. how .. file
    pieces[#pieces + 1] = "check the network, or put the IDX files"
    pieces[#pieces + 1] = "--data_dir DIR or BNNLUA_DATA=DIR"
    lu.assertEquals(assert_fails(pieces, {how}), "the download failed")
  end
  assert_fails({"Failed to connect", mirror.closed}, {mirror.closed})
  assert_fails({"404", "cut short", "/half/", "/missing/"}, {"missing", "half"})
end

function TestDownload.test_a_bomb_is_not_unpacked()
  local bomb = idx.folder()
  idx.write(bomb .. "/zeros", ("\0"):rep(1 << 20))
  idx.gzip(bomb .. "/zeros")
  local sha256, message = core.digest(bomb .. "/zeros.gz", 5000)
  lu.assertNil(sha256)
  lu.assertStrContains(message, "expected 5000 bytes, got more")
  idx.remove(bomb)
end

function TestDownload.test_a_server_that_stalls_or_never_answers_is_given_up()
  for _, how in ipairs{"stall", "mute"} do
    local from = os.time()
    assert_fails({"Operation too slow"}, {how}, HASTY)
    lu.assertTrue(os.time() - from < PATIENT.stall_s, how)
  end
  set_up()
  assert_loaded(load({"stall", "good"}, HASTY))
end

function TestDownload.test_a_failure_in_the_middle_leaves_nothing()
  os.rename(served .. "/t10k-labels-idx1-ubyte.gz", served .. "/hidden")
  assert_fails({"t10k-labels-idx1-ubyte.gz of small", "404"}, {"good"})
  os.rename(served .. "/hidden", served .. "/t10k-labels-idx1-ubyte.gz")
  lu.assertNil(contents(cache))
  idx.make(cache .. "/bnnlua/small")
  idx.write(cache .. "/bnnlua/small/mine", "a file of the user's")
  assert_fails({"404"}, {"missing"})
  assert_loaded(load{"good"})
  lu.assertStrContains(contents(cache), "mine")
end

function TestDownload.test_a_broken_cache_is_repaired()
  assert_loaded(load{"good"})
  local there = contents(cache)
  mirror.requests()
  local images = cache .. "/bnnlua/small/t10k-images-idx3-ubyte.gz"
  idx.write(images, "broken")
  environment.BNNLUA_OFFLINE = "1"
  local data, fault = load{"good"}
  lu.assertNil(data)
  lu.assertStrContains(fault, images .. ": ")
  lu.assertStrContains(fault, "BNNLUA_OFFLINE is set")
  environment.BNNLUA_OFFLINE = nil
  assert_loaded(load{"good"})
  lu.assertEquals(mirror.requests(), {"/good/t10k-images-idx3-ubyte.gz"})
  os.remove(images)
  assert_loaded(load{"good"})
  lu.assertEquals(mirror.requests(), {"/good/t10k-images-idx3-ubyte.gz"})
  lu.assertEquals(contents(cache), there)
end

function TestDownload.test_offline_asks_nobody()
  local cause = assert_fails({"offline is set", "--data_dir DIR"}, {"good"}, {offline = true})
  lu.assertEquals(cause, "offline is set")
  for _, value in ipairs{"1", "yes"} do
    environment.BNNLUA_OFFLINE = value
    lu.assertEquals(assert_fails({"BNNLUA_OFFLINE is set"}, {"good"}), "BNNLUA_OFFLINE is set")
    assert_fails({"BNNLUA_OFFLINE is set"}, {"good"}, {offline = false})
  end
  lu.assertEquals(mirror.requests(), {})
  environment.BNNLUA_OFFLINE = "0"
  assert_loaded(load{"good"})
end

function TestDownload.test_mirrors_come_from_the_environment()
  environment.BNNLUA_MIRRORS = mirror.closed .. ", " .. mirror.http .. "/good/"
  local _, data, fault = stderr_of(bnn.data.load, "small", {set = row})
  assert_loaded(data, fault)
  set_up()
  environment.BNNLUA_MIRRORS = mirror.http .. "/{name}"
  _, data, fault = stderr_of(bnn.data.load, "small", {set = row})
  lu.assertNil(data)
  lu.assertStrContains(fault,
    mirror.http .. "/small/train-images-idx3-ubyte.gz: expected HTTP status 200, got 404")
end

function TestDownload.test_https_with_a_certificate_that_is_trusted()
  lu.skipIf(not mirror.https, "there is no openssl")
  local url = mirror.https .. "/good"
  assert_fails({"SSL certificate", url}, {url})
  lu.assertEquals(mirror.requests(), {})
  assert_loaded(load({url}, {ca_file = mirror.cert}))
  set_up()
  environment.SSL_CERT_FILE = mirror.cert
  assert_loaded(load{url})
  set_up()
  environment.SSL_CERT_FILE = here .. "/absent.pem"
  assert_fails({"absent.pem"}, {url})
  environment.SSL_CERT_FILE = mirror.cert
  assert_fails({"SSL"}, {(url:gsub("127%.0%.0%.1", "localhost"))}) -- another name than its own
end

function TestDownload.test_a_cache_that_cannot_be_written()
  environment.XDG_CACHE_HOME = here .. "/file"
  idx.write(here .. "/file", "not a folder")
  local data, fault, cause = load{"good"}
  lu.assertNil(data)
  lu.assertStrContains(fault, here .. "/file")
  lu.assertStrContains(fault, "Not a directory")
  lu.assertStrContains(fault, "XDG_CACHE_HOME")
  lu.assertEquals(cause, "the cache cannot be written")
  lu.assertEquals(mirror.requests(), {})
end

function TestDownload.test_an_error_in_the_middle_leaves_nothing()
  local url = mirror.http .. "/slow/train-images-idx3-ubyte.gz"
  local ok, fault = pcall(core.fetch, url, here .. "/slow", {
    sha256 = ("0"):rep(64), bytes = 1 << 30, progress = function() error "enough" end,
  })
  lu.assertFalse(ok)
  lu.assertStrContains(fault, "enough")
  lu.assertNil(contents(here):find "slow")
end

function TestDownload.test_misuse_raises()
  local good = {sha256 = ("0"):rep(64), bytes = 1}
  for _, bad in ipairs{
    {1}, {"http://127.0.0.1:1/", "a\0b", good}, {"http://127.0.0.1:1/", here .. "/x", {}},
    {"http://127.0.0.1:1/", here .. "/x", {sha256 = "abc"}},
    {"http://127.0.0.1:1/", here .. "/x", {sha256 = good.sha256, bytes = -1}},
    {"http://127.0.0.1:1/", here .. "/x", {sha256 = good.sha256, bytes = 1, stall_s = 1 << 40}},
  } do
    lu.assertFalse(pcall(core.fetch, table.unpack(bad)))
  end
  local path, fault, blame = core.fetch("http://127.0.0.1:1/", here .. "/no/such/x", good)
  lu.assertNil(path)
  lu.assertStrContains(fault, "No such file")
  lu.assertEquals(blame, "here")
end

TestPlaces = {setUp = function() set_up() end}

-- A folder with a set of `n` test images, by which it is known again.
local function with_set(path, n)
  idx.make(path)
  idx.part(path, "t10k", {n = n, side = 10})
  return path
end

-- The size of the notMNIST that is found, or nil.
local function found()
  local data = bnn.data.load("notmnist", {offline = true})
  return data and data.test.size
end

function TestPlaces.test_the_order_of_search()
  local env, flat, system, other = place(), place(), place(), place()
  with_set(system .. "/datasets/notmnist", 4)
  lu.assertNil(found())
  with_set(cache .. "/bnnlua/notmnist", 5)
  lu.assertEquals(found(), 5)
  environment.XDG_DATA_DIRS = other .. ":" .. system .. "/"
  lu.assertEquals(found(), 4)
  environment.BNNLUA_DATA = other -- lacks it: the next place
  lu.assertEquals(found(), 4)
  environment.BNNLUA_DATA = with_set(flat, 3)
  lu.assertEquals(found(), 3)
  environment.BNNLUA_DATA = env
  with_set(env .. "/notmnist", 2)
  with_set(env, 9)
  lu.assertEquals(found(), 2)
  lu.assertEquals(bnn.data.load("notmnist", {dir = with_set(place(), 1)}).test.size, 1)
end

function TestPlaces.test_a_folder_of_the_users_that_lacks_the_set_is_an_error()
  with_set(cache .. "/bnnlua/notmnist", 5)
  local empty = place()
  local data, fault, cause = bnn.data.load("notmnist", {dir = empty})
  lu.assertNil(data)
  lu.assertStrContains(fault, empty .. ": no IDX files there")
  lu.assertNil(cause)
end

function TestPlaces.test_what_is_broken_in_the_environments_folder_is_an_error()
  with_set(cache .. "/bnnlua/notmnist", 5)
  local env = place()
  environment.BNNLUA_DATA = env
  idx.part(env, "t10k", {n = 5, labels = 4, side = 10})
  local data, fault, cause = bnn.data.load("notmnist", {offline = true})
  lu.assertNil(data)
  lu.assertStrContains(fault, env .. "/t10k")
  lu.assertNil(cause)
end

function TestPlaces.test_the_cache_is_in_the_users_home_without_xdg()
  environment.XDG_CACHE_HOME = nil
  environment.HOME = place()
  with_set(environment.HOME .. "/.cache/bnnlua/notmnist", 6)
  lu.assertEquals(found(), 6)
  environment.XDG_CACHE_HOME = "relative" -- is to be ignored, says the standard
  lu.assertEquals(found(), 6)
  environment.HOME = nil
  local data, fault, cause = bnn.data.load("notmnist")
  lu.assertNil(data)
  lu.assertStrContains(fault, "neither XDG_CACHE_HOME (an absolute path) nor HOME is set")
  lu.assertEquals(cause, "there is no cache folder")
end

function TestPlaces.test_another_set_in_a_flat_folder_is_not_taken_for_it()
  lu.skipIf(not select(2, core.can_fetch()), "needs libcrypto")
  local flat = with_set(place(), 3)
  local labels = flat .. "/t10k-labels-idx1-ubyte"
  local sha256, bytes = core.digest(labels)
  local file = {"t10k-labels-idx1-ubyte.gz", bytes, sha256}
  local mine = {name = "mine", title = "Mine", files = {file}, mirrors = {}}
  table.insert(dataset_registry.rows, mine)
  environment.BNNLUA_DATA = flat
  local as_itself, as_another = bnn.data.load "mine", found()
  local data, fault = bnn.data.load("notmnist", {dir = flat})
  table.remove(dataset_registry.rows)
  lu.assertEquals(as_itself.title, "Mine")
  lu.assertNil(as_another)
  lu.assertNil(data)
  lu.assertEquals(fault, flat .. ": holds mine, not notmnist")
end

function TestPlaces.test_unknown_names()
  local data, fault, cause = bnn.data.load "minst"
  lu.assertNil(data)
  lu.assertStrContains(fault, "no data set or folder 'minst': did you mean 'mnist'? known are ")
  lu.assertNil(cause)
  environment.BNNLUA_DATA = with_set(place(), 3)
  lu.assertNil(bnn.data.load "minst") -- what lies there may be anything
  with_set(environment.BNNLUA_DATA .. "/cards", 7)
  data = bnn.data.load "cards"
  lu.assertEquals({data.test.size, data.name, data.title}, {7, "cards", "cards"})
end

function TestPlaces.test_generated_sets_are_not_looked_for()
  environment.BNNLUA_DATA = place()
  with_set(environment.BNNLUA_DATA .. "/glyphs", 3)
  lu.assertEquals(bnn.data.load("glyphs").train.size, 60000)
  lu.assertEquals(bnn.data.load("glyphs", {dir = environment.BNNLUA_DATA}).test.size, 3)
end

TestRows = {}

function TestRows.test_every_row_is_complete()
  for _, known in ipairs(dataset_registry.rows) do
    lu.assertEquals(dataset_registry.find(known.name), known)
    lu.assertTrue(known.generate ~= nil or #known.mirrors > 0)
    for _, file in ipairs(known.files or {}) do
      lu.assertStrMatches(file[1], "[a-z0-9-]+-idx[13]%-ubyte%.gz")
      lu.assertEquals({math.type(file[2]), #file[3], file[3]:find "[^0-9a-f]"}, {"integer", 64})
    end
    for _, url in ipairs(known.mirrors or {}) do
      lu.assertStrMatches(url, "https?://[%w./-]+[%w]")
    end
  end
end

function TestRows.test_the_real_files_have_the_known_hashes()
  environment = {BNNLUA_DATA = getenv "BNNLUA_DATA"}
  lu.skipIf(not environment.BNNLUA_DATA or not core.can_fetch(), "needs $BNNLUA_DATA")
  local checked = 0
  for _, name in ipairs{"mnist", "notmnist"} do
    local dir = environment.BNNLUA_DATA .. "/" .. name
    for _, file in ipairs(dataset_registry.find(name).files) do
      local path = fetch.path_of(file, dir)
      if path then
        lu.assertEquals({fetch.check_file(file, path)}, {true})
        checked = checked + 1
      end
    end
    if #fetch.missing(dataset_registry.find(name), dir) == 0 then
      lu.assertEquals(fetch.identify(dir).name, name)
    end
  end
  lu.skipIf(checked == 0, "needs MNIST or notMNIST in $BNNLUA_DATA")
end

local status = lu.LuaUnit.run()
if mirror then mirror.stop() end
idx.remove(here)
os.exit(status)
