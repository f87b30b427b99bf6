--- Checkpoints of a training: written every so many steps, the last few and the best one kept, and
-- gone on from, to the same bits as a training that never stopped. bnn.train works with it.
--
-- A folder holds step_00001000.safetensors, ... and best.safetensors. What the file says of a
-- training beside its parameters is compared with the one that goes on from it: its configuration,
-- key, optimizer, objective, batches and data, by size. Schedules are functions of the step.
local checkpoint = require "bnn.checkpoint"
local core = require "bnn.core"
local folders = require "bnn.folders"
local options = require "bnn.options"
local record = require "bnn.record"

local M = {}

local Checkpointer = {}
Checkpointer.__index = Checkpointer

local spec = {
  path = {type = "string", required = true},
  every = {type = "integer", min = 1, default = 1000},
  keep = {type = "integer", min = 1, default = 3},
  best = "string",
  mode = {type = "string", choices = {"max", "min"}, default = "max"},
  config = "table",
  free = {type = "string", list = true, default = {"steps", "epochs"}},
  extras = "table|function",
  resume = {type = "boolean", default = false},
  resume_anyway = {type = "boolean", default = false},
}

local function demand(value, message) return require "bnn.experiment".demand(value, message) end

local function say(text) io.stderr:write(text, "\n") end

local function step_file(folder, step) return ("%s/step_%08d.safetensors"):format(folder, step) end

-- Steps of the checkpoints in a folder, in order.
local function steps_in(folder)
  local steps = {}
  for name in pairs(core.is_folder(folder) and core.list_dir(folder) or {}) do
    local digits = name:match "^step_(%d+)%.safetensors$"
    if digits then steps[#steps + 1] = math.tointeger(tonumber(digits)) end
  end
  table.sort(steps)
  return steps
end

-- Takes away what a process that was killed while it wrote has left.
local function remove_parts(folder)
  for name in pairs(core.list_dir(folder) or {}) do
    if name:find "^[%w_]+%.safetensors%.%d+%-%d+%.part$" then os.remove(folder .. "/" .. name) end
  end
end

-- ---- what is compared ----

-- What decides the course of a training, besides the configuration.
local function training_of(opts, state)
  local made = state:record()
  return {
    batch_size = opts.batch_size,
    data_size = opts.data.size,
    image = opts.data.x and table.concat(opts.data.x:shape(), " x ", 2) or nil,
    objective = tostring(opts.objective),
    optimizer = made.name,
    optimizer_options = made.options,
    key = opts.key:bits(),
  }
end

local function show(value)
  if type(value) == "table" then
    local parts = {}
    for i, item in ipairs(value) do parts[i] = show(item) end
    for _, name in ipairs(options.sorted_names(value)) do
      parts[#parts + 1] = name .. "=" .. show(value[name])
    end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  if math.type(value) == "float" then return ("%.14g"):format(value) end
  return value == nil and "not given" or tostring(value)
end

-- Adds "name: theirs in the checkpoint, ours here" for what differs.
local function compare(list, theirs, ours, free)
  local names = {}
  for _, side in ipairs{theirs, ours} do
    for name in pairs(side) do names[name] = true end
  end
  for _, name in ipairs(free or {}) do names[name] = nil end
  for _, name in ipairs(options.sorted_names(names)) do
    local there, here = show(theirs[name]), show(ours[name])
    if there ~= here then
      list[#list + 1] = ("%s: %s in the checkpoint, %s here"):format(name, there, here)
    end
  end
end

local function differences(self, saved)
  local list = {}
  if saved.config and self.config then compare(list, saved.config, self.config, self.free) end
  if #list > 0 then return list end -- what follows from these would be said twice
  compare(list, saved.training or {}, self.training, {"best_value"})
  return list
end

-- The parts of bnn.versions that decide the bits of a product.
local function kernels(versions)
  local parts = {}
  for _, row in ipairs(versions or {}) do
    if row.name == "OpenBLAS" or row.name == "instruction set" or row.name == "real type" then
      parts[#parts + 1] = row.name .. " " .. row.version
    end
  end
  return table.concat(parts, ", ")
end

-- ---- going on ----

-- Takes over the parameters of a checkpoint, in place.
local function take_parameters(self, saved, path)
  local mu, logvar = record.parameters_of(self.objective, "bnn.train")
  local source = saved.posterior and {saved.posterior.mu, saved.posterior.logvar} or {saved.params}
  for i, target in ipairs{mu, logvar} do
    local report = source[i] and checkpoint.compare(target, source[i])
    demand(source[i], ("%s: it holds no %s"):format(path, logvar and "posterior" or "params"))
    demand(#report == 0, ("%s: %s"):format(path, table.concat(report, "; ")))
  end
  for i, target in ipairs{mu, logvar} do core.overwrite(target.flat, source[i].flat) end
end

local function take_state(self, saved, path)
  local made = demand(saved.optimizer, path .. ": it holds no optimizer's state"):record()
  local own = self.state:record()
  demand(made.name == own.name and made.size == own.size,
    ("%s: the optimizer's state is of %s over %d elements, wanted %s over %d"):format(path,
      made.name, made.size, own.name, own.size))
  self.state.moments:restore(made.steps, made.moments)
end

local function refuse_differences(self, saved, path)
  local list = differences(self, saved)
  if #list == 0 then return end
  local text = table.concat(list, "; ")
  if self.resume_anyway then
    say(("%s: going on although it differs: %s"):format(path, text))
  else
    demand(nil, ("%s: this is another training: %s; --resume_anyway goes on nevertheless"):format(
      path, text))
  end
end

-- Goes on from the newest checkpoint that is there.
local function resume(self, steps)
  local path = step_file(self.path, steps[#steps])
  local saved = demand(checkpoint.load(path))
  refuse_differences(self, saved, path)
  take_parameters(self, saved, path)
  take_state(self, saved, path)
  self.best_value = (saved.training or {}).best_value
  local there, here = kernels(saved.versions), kernels(core.versions())
  if there ~= here then
    say(("%s: written with %s, here is %s: bits may differ"):format(path, there, here))
  end
  say(("resumed from %s"):format(path))
end

--- Begins: goes on from what is in the folder, where that is asked for.
-- @param given table: the checkpoint option of bnn.train
-- @param train table: bnn.train's own options
-- @param state the optimizer's state
function M.new(given, train, state)
  local self = setmetatable(options.check("bnn.train: checkpoint", given, spec), Checkpointer)
  self.objective, self.state, self.key = train.objective, state, train.key
  self.training = training_of(train, state)
  self.written = steps_in(self.path)
  if self.resume_anyway then self.resume = true end
  if #self.written > 0 and not self.resume then
    demand(nil, ("%s holds checkpoints of an earlier training: --resume goes on with it, another "
      .. "folder begins anew"):format(self.path))
  end
  if #self.written > 0 then
    resume(self, self.written)
  elseif self.resume then
    say(("%s: nothing to resume from, the training begins"):format(self.path))
  end
  demand(folders.make(self.path))
  remove_parts(self.path)
  return self
end

-- ---- writing ----

local function contents(self, step)
  local training = {}
  for name, value in pairs(self.training) do training[name] = value end
  training.best_value = self.best_value
  local extras = self.extras
  if type(extras) == "function" then extras = extras(step) end
  return {
    posterior = self.objective.posterior, params = not self.objective.posterior
      and self.objective.params or nil,
    optimizer = self.state, key = self.key, step = step, config = self.config, extras = extras,
    training = training, model = checkpoint.describe(self.objective),
  }
end

-- Writes a file; what fails is said loudly, and the training goes on.
local function write(self, path, step)
  local ok, fault = checkpoint.save(path, contents(self, step))
  if not ok then say(("WARNING: no checkpoint at step %d: %s"):format(step, fault)) end
  return ok
end

-- Takes away all but the newest.
local function prune(self)
  while #self.written > self.keep do
    os.remove(step_file(self.path, table.remove(self.written, 1)))
  end
end

--- Writes the checkpoint of a step, unless it has been written.
-- @return its path, or nil
function Checkpointer:save(step)
  local path = step_file(self.path, step)
  if self.written[#self.written] == step then return path end
  if not write(self, path, step) then return nil end
  self.written[#self.written + 1] = step
  prune(self)
  return path
end

--- The same where one is due.
function Checkpointer:save_due(step)
  if step % self.every == 0 then self:save(step) end
end

local function is_better(self, value)
  if value ~= value then return false end
  if self.best_value == nil then return true end
  return self.mode == "max" and value > self.best_value or self.mode == "min"
    and value < self.best_value
end

--- Looks at the figures of a step; the best one's parameters go to best.safetensors.
-- @param rows list of {name, value}
function Checkpointer:look_at(step, rows)
  if not self.best then return end
  for _, row in ipairs(rows) do
    if row[1] == self.best then
      if not is_better(self, row[2]) then return end
      self.best_value = row[2]
      write(self, self.path .. "/best.safetensors", step)
      return
    end
  end
  local fault = "bnn.train: checkpoint: best = '%s', which evaluate does not give"
  demand(nil, fault:format(self.best))
end

return M
