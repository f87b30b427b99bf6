--- For tests: folders that are gone at the end, and finished runs in them.
local bnn = require "bnn"
local core = require "bnn.core"
local folders = require "bnn.base.folders"
local run_folder = require "bnn.records.run_folder"

local M = {}

--- A folder that is there while `use` runs.
function M.in_folder(use)
  local folder = os.tmpname()
  os.remove(folder)
  assert(core.make_folder(folder))
  local ok, fault = pcall(use, folder)
  os.execute("rm -rf " .. folder)
  if not ok then error(fault, 0) end
end

function M.write(path, text)
  assert(folders.make_above(path))
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

local count = 0

local function write_log(path, metrics)
  local log = assert(bnn.log.jsonl(path))
  for step = 0, 2 do
    local rows = {}
    for name, v in pairs(metrics) do rows[name] = v + (2 - step) end
    log:row(step * 10, rows)
  end
  log:close()
end

--- A finished run of `config` and `metrics` below root, which end at the values given; its id.
-- @param about table or nil: more of run.json
-- @param files table or nil: path in the run's folder -> bytes
function M.make(root, config, metrics, about, files)
  local folder = assert(run_folder.new(root))
  count = count + 1
  local whole = {id = folder.id, attempt = 1, status = "completed", experiment = "toy",
                 host = core.host(), pid = count, seed = config.seed, command = "bnnlua toy.lua",
                 started = run_folder.time_text(core.now())}
  for name, v in pairs(about or {}) do whole[name] = v end
  assert(run_folder.write_json(folder.hidden .. "/run.json", whole))
  assert(run_folder.write_json(folder.hidden .. "/config.json", config))
  write_log(folder.hidden .. "/metrics.jsonl", metrics)
  for name, bytes in pairs(files or {}) do M.write(folder.hidden .. "/" .. name, bytes) end
  assert(run_folder.publish(folder))
  assert(run_folder.seal(folder.path))
  folder.lock:release()
  return folder.id
end

return M
