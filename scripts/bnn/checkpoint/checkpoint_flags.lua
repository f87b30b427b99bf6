--- The flags of experiments that write checkpoints.
local configuration = require "bnn.base.configuration"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local refusal = require "bnn.base.refusal"
local strings = require "bnn.base.strings"

local M = {}

local FLAGS = {"checkpoint", "checkpoint_every", "resume", "resume_anyway"}

--- Adds the flags for checkpoints to the defaults of an experiment.
--     local defaults = bnn.checkpoint.flags{lr = {1e-3, "learning rate"}}
-- @param defaults table: the experiment's own
-- @return table: those, and checkpoint, checkpoint_every, resume and resume_anyway
function M.flags(defaults)
  expect.plain_table("bnn.checkpoint.flags", defaults, "a table of defaults")
  local function add(name, flag)
    flag.result = false
    defaults[name] = flag
  end
  add("checkpoint", {nil, "folder for checkpoints (default: none)", type = "string"})
  add("checkpoint_every", {nil, "steps between two checkpoints (default 1000); without "
        .. "--checkpoint they are kept in the record of the run", type = "integer", min = 1})
  add("resume", {false, "resume from the last checkpoint, bit for bit as if never stopped"})
  add("resume_anyway", {false, "resume even if the configuration differs"})
  return defaults
end

--- Whether the defaults of an experiment have these flags.
function M.are_in(defaults)
  for _, name in ipairs(FLAGS) do
    local entry = defaults[name]
    if type(entry) ~= "table" or entry.result ~= false then return false end
  end
  return true
end

-- The flags whose change on resuming is told by what they make, the stop and the best.
local MAY_CHANGE = {"steps", "epochs", "monitor", "stop_patience", "stop_min_delta"}

--- The metric that --monitor names, and its mode; without the flag those of the experiment.
-- @param cfg table: a configuration
-- @param opts table: monitor=, mode=
-- @return monitor, mode
function M.monitor_of(cfg, opts)
  local given = cfg.monitor
  if given == nil or given == opts.monitor then return opts.monitor, opts.mode end
  local mode, name = given:match "^(m[ai][xn]):(.+)$"
  refusal.assert_or_exit(mode == "max" or mode == "min", strings.message(
    "--monitor=%s: expected max:NAME or min:NAME, by which is better, such as max:%s", given,
    opts.monitor or "test/accuracy"))
  return name, mode
end

--- Makes the checkpoint option of bnn.train from these flags.
--     local cfg = {checkpoint = "night", checkpoint_every = 1000, resume = true}
--     local option = bnn.checkpoint.from_flags(cfg, {monitor = "test/accuracy"})
-- @param cfg table: the configuration that an experiment's run gets
-- @param opts table: monitor=, mode=, keep=, extras=, on_resume=, as for bnn.train; the flag
--   --monitor of common = {"monitor"} replaces monitor and mode
-- @return table; or nil without --checkpoint
function M.from_flags(cfg, opts)
  if type(cfg) ~= "table" then
    local wanted = "the configuration that an experiment's run gets"
    fail.expected("bnn.checkpoint.from_flags", wanted, cfg)
  end
  opts = options.check("bnn.checkpoint.from_flags", opts, {
    monitor = "string", mode = "string", keep = "integer", extras = "table|function",
    on_resume = "function", renamed = {best = "monitor"},
  })
  if not cfg.checkpoint then
    refusal.assert_or_exit(not (cfg.resume or cfg.resume_anyway),
      "--resume needs --checkpoint=DIR, the folder to resume from")
    refusal.assert_or_exit(not cfg.checkpoint_every, "--checkpoint_every needs --checkpoint=DIR, "
      .. "or a record of the run, which keeps them")
    return nil
  end
  opts.monitor, opts.mode = M.monitor_of(cfg, opts)
  opts.may_change = MAY_CHANGE
  opts.path, opts.every = cfg.checkpoint, cfg.checkpoint_every
  opts.resume, opts.resume_anyway = cfg.resume, cfg.resume_anyway
  opts.config = configuration.resulting(cfg)
  for _, name in ipairs(FLAGS) do opts.config[name] = nil end -- if cfg is a plain table
  return opts
end

return M
