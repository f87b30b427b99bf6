--- What a record says of the machine, the program, the scripts and their repository.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local folders = require "bnn.base.folders"
local named_tensors = require "bnn.params.named_tensors"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"

local M = {}

-- The first value of a name in a text of lines "name : value".
local function value_in(path, name)
  local file <close> = io.open(path)
  for line in file and file:lines() or function() end do
    local value = line:match("^" .. name .. "%s*:%s*(.-)%s*$")
    if value then return value end
  end
end

--- The machine and the libraries: cpu, versions by name, isa, threads, working folder.
function M.machine()
  local versions = {}
  for _, row in ipairs(core.versions()) do versions[row.name] = row.version end
  return {cpu = value_in("/proc/cpuinfo", "model name") or "unknown", versions = versions,
          isa = core.isa(), threads = core.threads(), folder = core.working_folder()}
end

local function git(dir, ...)
  local words = {"git", "-C", dir, "--no-optional-locks", ...}
  local done = core.run_program(words, "", 10)
  return done and done.status == 0 and done.output or nil
end

--- The repository that a folder is in: {commit=, branch=, dirty=}, and the difference of its files
-- from that commit as a text; nil if there is none.
function M.repository(dir)
  local text = git(dir, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
  if not text then return nil end
  local about = {commit = text:match "# branch%.oid (%S+)",
                 branch = text:match "# branch%.head (%S+)",
                 dirty = text:find "\n[^#]" ~= nil or text:find "^[^#]" ~= nil}
  if about.dirty and about.commit:find "^%x+$" then return about, git(dir, "diff", "HEAD") or "" end
  return about
end

-- The files of the modules that scripts have loaded: name -> path.
local function module_paths()
  local paths = {}
  for name in pairs(package.loaded) do
    local is_own = name == "bnn" or name:find "^bnn%." or name == "_G"
    local path = not is_own and package.searchpath(name, package.path)
    if path then paths[name] = path end
  end
  return paths
end

-- A file of Lua: its path, its name in a record, the module that it is, its hash and its text.
local function source_of(path, file, module)
  local text, fault = run_folder.read(path)
  if not text then return nil, fault end
  local sha256, why = core.file_sha256(path)
  if not sha256 then return nil, why end
  return {path = path, file = "code/" .. file, module = module, sha256 = sha256, text = text}
end

--- Reads a script, and the modules in Lua that it has loaded.
-- @param script string: the path of the script; nil: there is none, as at the prompt
-- @return a list of {path=, file=, module=, sha256=, text=} in the order of file; or nil, message
function M.sources(script)
  local main, fault
  if script then main, fault = source_of(script, script:match "[^/]+$") end
  if fault then return nil, fault end
  local sources = {main}
  for name, path in pairs(module_paths()) do
    local source, why = source_of(path, name:gsub("%.", "/") .. ".lua", name)
    if not source then return nil, why end
    sources[#sources + 1] = source
  end
  table.sort(sources, function(a, b) return strings.before(a.file, b.file) end)
  return sources
end

--- Writes sources below the folder of a run.
-- @return the list without the texts, for run.json; or nil, message
function M.write_sources(path, sources)
  local list = {}
  for i, source in ipairs(sources) do
    local target = path .. "/" .. source.file
    local ok, fault = folders.make_above(target)
    if ok then ok, fault = run_folder.write(target, source.text) end
    if not ok then return nil, fault end
    list[i] = {path = source.path, file = source.file, module = source.module,
               sha256 = source.sha256}
  end
  return list
end

--- Gathers what many runs of one script have in common, which costs more than the rest of a record:
-- the machine, the repository, the script and its modules.
-- @param script string: the path of the script, or nil
-- @return table {machine=, repository=, diff=, sources=}, for the recorder; or nil, message
function M.gather(script)
  local sources, fault = M.sources(script)
  if not sources then return nil, fault end
  local repository, diff = M.repository(script and script:match "^(.+)/[^/]*$" or ".")
  return {machine = M.machine(), repository = repository, diff = diff, sources = sources}
end

local HASHED_MAX = 64 << 20 -- bytes of a file of data that is hashed whole

local function new_part_facts(part)
  local about = {size = part.size, origin = type(part.origin) == "string" and part.origin or nil}
  local h
  for _, role in ipairs{"x", "y", "weight"} do
    named_tensors.each(role, part[role], function(tensor)
      local ok, next_h = fail.try(core.fingerprint, tensor, h)
      if ok then h = next_h end
    end)
  end
  about.fingerprint = h and ("%016x"):format(h)
  local file <close> = about.origin and io.open(about.origin, "rb")
  if file and (file:seek "end" or math.huge) <= HASHED_MAX then
    about.sha256 = core.file_sha256(about.origin)
  end
  return about
end

local facts_of = setmetatable({}, {__mode = "k"}) -- by a part's x, which does not change

-- One part of a data set; a set that is loaded again (data_cache) is not read through again.
local function part_facts(part)
  local known = facts_of[part.x]
  local is_known = known and known.y == part.y and known.weight == part.weight
    and known.origin == part.origin
  if not is_known then
    known = {y = part.y, weight = part.weight, origin = part.origin, about = new_part_facts(part)}
    if part.x ~= nil then facts_of[part.x] = known end
  end
  local copy = {}
  for name, v in pairs(known.about) do copy[name] = v end
  return copy
end

--- What is kept of a data set: its name, where it was found, its parts' sizes and fingerprints.
function M.data(set)
  local about = {name = set.name, dir = set.dir}
  for _, name in ipairs{"train", "test"} do
    if type(set[name]) == "table" then about[name] = part_facts(set[name]) end
  end
  return about
end

return M
