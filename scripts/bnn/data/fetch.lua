--- Downloading a data set into the cache, and checking files against their known SHA-256.
--
-- All files of a set are downloaded beside their place, checked and synced; only when every one is
-- there do they take it. So whatever fails, or Ctrl-C, leaves the cache as it was.
local core = require "bnn.core"
local folders = require "bnn.base.folders"
local progress = require "bnn.base.progress"
local data_paths = require "bnn.data.data_paths"
local dataset_registry = require "bnn.data.dataset_registry"
local strings = require "bnn.base.strings"

local M = {}

-- ---- what is there ----

--- A file of a row in a folder: its path, or nil. Plain or .gz, with "-idx" or ".idx" in its name.
function M.path_of(file, folder)
  local plain = file[1]:gsub("%.gz$", "")
  for _, name in ipairs{plain, (plain:gsub("%-(idx%d)", ".%1"))} do
    for _, ending in ipairs{"", ".gz"} do
      local path = ("%s/%s%s"):format(folder, name, ending)
      local handle = io.open(path, "rb")
      if handle then
        handle:close()
        return path
      end
    end
  end
end

--- The files of a row that a folder lacks, as a list of rows.
function M.missing(row, folder)
  local missing = {}
  for _, file in ipairs(row.files) do
    if not M.path_of(file, folder) then missing[#missing + 1] = file end
  end
  return missing
end

--- Checks a file: true, or nil and what is wrong with it.
function M.check_file(file, path)
  local sha256, bytes = core.digest(path, file[2])
  if not sha256 then return nil, bytes end
  if bytes ~= file[2] then
    return nil, strings.message("%s: expected a payload of %d bytes, got %d", path, file[2], bytes)
  end
  if sha256 ~= file[3] then
    return nil, strings.message("%s: expected a payload of SHA-256 %s, got %s", path, file[3],
      sha256)
  end
  return true
end

--- The row of the known set whose labels lie in a folder, or nil: labels are small, so reading them
-- is quick.
function M.identify(folder)
  for _, row in ipairs(dataset_registry.rows) do
    for _, file in ipairs(row.files or {}) do
      local path = file[1]:find "labels" and M.path_of(file, folder)
      if path and core.digest(path, file[2]) == file[3] then return row end
    end
  end
end

--- The name of the known set that a folder holds instead of this one, or nil.
function M.other_set(row, folder)
  local found = row.files and M.identify(folder)
  return found and found.name ~= row.name and found.name or nil
end

-- ---- progress ----

-- A bar for each file, and off a terminal one line a file at once. `done` ends the bar. Lines wait
-- until bytes come: if none do, the message that the download ends with says it all.
local function reporter()
  local columns = core.terminal "stderr"
  local self, waiting, bar = {}, {}, nil
  function self.start(url)
    self.done()
    self.url = url
    if not columns then waiting[#waiting + 1] = "downloading " .. url end
  end
  function self.note(text) waiting[#waiting + 1] = text end
  function self.begin()
    for _, text in ipairs(waiting) do strings.notice(text) end
    waiting = {}
  end
  function self.progress(got, total)
    if got > 0 then self.begin() end
    if not bar then
      local name = strings.shown(self.url:match "[^/]*$"):gsub("[^ -~]", "?")
      bar = progress.start("downloading " .. name,
        {of = total > 0 and total or nil, unit = "MB", scale = 1e6})
    end
    bar:update(got)
  end
  function self.done()
    if bar then bar:finish() end
    bar = nil
  end
  return self
end

-- ---- downloading ----

-- What must not stay when the work ends early, by an error or a Ctrl-C too: new files and then, the
-- deepest first, new folders. Those that hold something stay: os.remove refuses them.
local function new_scratch()
  return setmetatable({downloads = {}, made = {}}, {__close = function(self)
    for _, download in ipairs(self.downloads) do download:drop() end
    for i = #self.made, 1, -1 do os.remove(self.made[i]) end
  end})
end

-- The address of a file at a mirror; {name} in a base stands for the set's.
local function address(base, row, file)
  base = base:gsub("{name}", (row.name:gsub("%%", "%%%%"))):gsub("/+$", "")
  return base .. "/" .. file[1]
end

-- Downloads one file from the first mirror that has it; the mirrors that failed go to the end of
-- the list. Gives the download, or nil, what each mirror said, and who is to blame.
local function fetch_file(row, file, target, job)
  local faults = {}
  for _ = 1, #job.mirrors do
    local url = address(job.mirrors[1], row, file)
    job.report.start(url)
    local download, fault, blame = core.fetch(url, target, {
      sha256 = file[3], bytes = file[2], progress = job.report.progress,
      connect_ms = job.limits.connect_ms, stall_s = job.limits.stall_s, ca_file = job.ca_file,
    })
    if download then
      job.report.begin()
      return download
    end
    faults[#faults + 1] = fault
    if blame ~= "mirror" then return nil, faults[#faults], blame end
    table.insert(job.mirrors, table.remove(job.mirrors, 1))
    if #faults < #job.mirrors then job.report.note(fault .. "; trying the next mirror") end
  end
  return nil, table.concat(faults, "; "), "mirror"
end

local function fetch_all(row, files, folder, scratch, job)
  for _, file in ipairs(files) do
    local target = folder .. "/" .. file[1]
    local download, fault, blame = fetch_file(row, file, target, job)
    if not download then return nil, strings.message("%s of %s: %s", file[1], row.name, fault),
      blame end
    table.insert(scratch.downloads, download)
  end
  return true
end

-- All is there and checked: it takes its place.
local function publish(scratch)
  for _, download in ipairs(scratch.downloads) do
    local ok, fault = download:commit()
    if not ok then return nil, fault, "here" end
  end
  scratch.downloads, scratch.made = {}, {}
  return true
end

-- The files of a row that are not in the cache or not as they should be.
local function wanted(row, folder)
  local files = {}
  for _, file in ipairs(row.files) do
    local path = M.path_of(file, folder)
    if not path or not M.check_file(file, path) then files[#files + 1] = file end
  end
  return files
end

-- What to do about a failure.
local BY_HAND = "put the IDX files (%s; sources: see README) into a folder and name it with "
  .. "--data_dir DIR or BNNLUA_DATA=DIR"
local ANOTHER_FOLDER = "make room there, or name another folder with XDG_CACHE_HOME"

local function by_hand(row)
  local names = {}
  for i, file in ipairs(row.files) do names[i] = file[1] end
  return BY_HAND:format(table.concat(names, ", "))
end

-- Why nothing can be downloaded at all, or nil: a sentence, and the few words for a first line.
local function refusal(opts)
  if opts.offline or data_paths.is_offline() then
    local cause = opts.offline and "offline is set" or "BNNLUA_OFFLINE is set"
    return cause .. ", so nothing is downloaded", cause
  end
  if core.can_fetch() then return nil end
  return "this build cannot download: it lacks libcurl or libcrypto (make deps, then make)",
    "this build cannot download"
end

local function new_job(row, opts)
  return {
    mirrors = {table.unpack(opts.mirrors or data_paths.mirrors() or row.mirrors)},
    limits = opts.limits or {}, ca_file = opts.ca_file or os.getenv "SSL_CERT_FILE",
    report = reporter(),
  }
end

-- Downloads these files into the folder: true, or nil, message, and who is to blame.
local function bring(row, files, folder, job)
  local scratch <close> = new_scratch()
  local _ <close> = setmetatable({}, {__close = job.report.done})
  local ok, fault = folders.make(folder, scratch.made)
  if not ok then return nil, fault, "here" end
  core.sweep(folder)
  local blame
  ok, fault, blame = fetch_all(row, files, folder, scratch, job)
  if not ok then return nil, fault, blame end
  return publish(scratch)
end

--- Brings a set into the cache: downloads the files that are missing there or are not what they
-- should be.
-- @param row table: a row of bnn.data.dataset_registry with files
-- @param opts table: offline=, mirrors= (base URLs in place of the row's), ca_file=, limits=
-- @return the folder, and how many files were downloaded; or nil, message, and the cause in a few
--   words
function M.get(row, opts)
  local cache, no_cache = data_paths.cache()
  if not cache then return nil, no_cache, "there is no cache folder" end
  local folder = cache .. "/" .. row.name
  local files = wanted(row, folder)
  if #files == 0 then return folder, 0 end
  local fault, cause = refusal(opts)
  if fault then return nil, strings.message("%s; %s", fault, by_hand(row)), cause end
  local ok, blame
  ok, fault, blame = bring(row, files, folder, new_job(row, opts))
  if ok then return folder, #files end
  if blame == "here" then
    return nil, strings.message("%s; %s", fault, ANOTHER_FOLDER), "the cache cannot be written"
  end
  return nil, strings.message("%s; check the network, or %s", fault, by_hand(row)),
    "the download failed"
end

return M
