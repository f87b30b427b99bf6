--- What placed this process on its machine: Slurm, HyperQueue or GNU parallel, by the variables
-- that they set.
local M = {}

-- The variables of each engine by what they say, and the words for it.
local ENGINES = {
  {name = "slurm", words = "Slurm", has = "SLURM_JOB_ID", facts = {
    {"job", "SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID"}, {"task", "SLURM_ARRAY_TASK_ID"},
    {"restart", "SLURM_RESTART_COUNT"},
  }},
  {name = "hyperqueue", words = "HyperQueue", has = "HQ_JOB_ID", facts = {
    {"job", "HQ_JOB_ID"}, {"task", "HQ_TASK_ID"}, {"instance", "HQ_INSTANCE_ID"},
  }},
  {name = "parallel", words = "GNU parallel", has = "PARALLEL_SEQ", facts = {
    {"sequence", "PARALLEL_SEQ"},
  }},
}

-- A variable that is set and not empty; nil without a name.
local function value_of(name)
  local value = name and os.getenv(name)
  return value ~= "" and value or nil
end

local function facts_of(engine)
  local facts = {}
  for _, fact in ipairs(engine.facts) do
    facts[fact[1]] = value_of(fact[2]) or value_of(fact[3])
  end
  return facts
end

--- Says what placed this process.
-- @return table by engine, such as {slurm = {job = "17", task = "3"}}; nil: none that is known
function M.read()
  local placed
  for _, engine in ipairs(ENGINES) do
    if value_of(engine.has) then
      placed = placed or {}
      placed[engine.name] = facts_of(engine)
    end
  end
  return placed
end

--- The same as a text, "Slurm job 17, task 3"; nil: none.
-- @param placed table, as `read` returns it, or nil
function M.text(placed)
  local parts = {}
  for _, engine in ipairs(ENGINES) do
    local facts, words = placed and placed[engine.name], {}
    for _, fact in ipairs(facts and engine.facts or {}) do
      local value = facts[fact[1]]
      if value and value ~= "0" then words[#words + 1] = ("%s %s"):format(fact[1], value) end
    end
    if facts then parts[#parts + 1] = engine.words .. " " .. table.concat(words, ", ") end
  end
  return parts[1] and table.concat(parts, "; ")
end

--- How many processors the engine gave this process; nil: it does not say.
function M.processors()
  local of_slurm = math.tointeger(tonumber(value_of "SLURM_CPUS_PER_TASK" or ""))
  if of_slurm and of_slurm > 0 then return of_slurm end
  local _, count = (value_of "HQ_CPUS" or ""):gsub("%d+", "")
  return count > 0 and count or nil
end

return M
