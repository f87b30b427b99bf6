--- The prompt on a terminal: reads a block, runs it, shows its values.
--
-- Blocks are read and called through `terminal`, the functions of the program (main_terminal.c).
-- Scripts, pipes and -e never come here.
local commands = require "bnn.prompt.prompt_commands"
local completion = require "bnn.prompt.completion"
local core = require "bnn.core"
local help_prompt = require "bnn.help.help_prompt"
local history = require "bnn.prompt.prompt_history"
local input = require "bnn.prompt.prompt_input"
local pager = require "bnn.help.pager"
local interrupted_state = require "bnn.run.interrupted_state"
local prompt_errors = require "bnn.prompt.prompt_errors"
local prompt_figures = require "bnn.show.prompt_figures"
local show_value = require "bnn.prompt.show_value"
local style = require "bnn.prompt.prompt_style"
local start_file = require "bnn.prompt.start_file"
local suggestion = require "bnn.prompt.suggestion"

local M = {}

local SLOW = 0.1 -- seconds: what takes longer says how long
local SIGINT = 2
local stdout, stderr = io.stdout, io.stderr -- a block may set others

-- _PROMPT and _PROMPT2 as the stand-alone interpreter knows them.
local function prompt_text(name, default)
  local value = rawget(_G, name)
  if value == nil then return default end
  local ok, text = pcall(tostring, value)
  return ok and text or default
end

local function read_line(self, name, default)
  local text = prompt_text(name, default)
  if self.terminal.edits() then text = style.prompt(text) end
  return self.terminal.read(text, self.complete)
end

-- Reads until the text is complete: the text; false, and whether it was begun, if Ctrl-C dropped
-- it; nil at the end.
local function read_block(self)
  local text, was_begun = read_line(self, "_PROMPT", "> ")
  if not text or input.command(text) then return text, was_begun end
  while true do
    local _, _, is_incomplete = input.load(text)
    if not is_incomplete then return text end
    local more = read_line(self, "_PROMPT2", ">> ")
    if more == false then return false, true end
    if not more then return text end -- Lua's message tells what is missing
    text = text .. "\n" .. more
  end
end

local function keep(self, text)
  if not text:find "%S" then return end
  self.commands:note(text)
  self.terminal.remember(text)
  history.append(self.history, text)
end

-- Says what failed. Returns the exit status of what asks the program to end, which Ctrl-C does not.
local function report(self, err, text)
  local special = self.terminal.special
  rawset(_G, "_tb", self.notes.traceback or prompt_errors.message(err))
  local is_special, _, signal = special(err)
  if is_special and signal ~= 0 and rawget(err, "state") then interrupted_state.keep(err, text) end
  local message, status = special(err)
  local is_interrupt = is_special and signal ~= 0
    or type(err) == "string" and err:find "interrupted!$"
  if is_interrupt then stderr:write "\n" end -- after the ^C that the terminal shows
  if message then
    stderr:write("bnnlua: ", core.shown(message, true), "\n")
    return signal ~= 0 and signal ~= SIGINT and status or nil
  end
  local hint = suggestion.for_error(prompt_errors.message(err), text)
  stderr:write(style.error(prompt_errors.text(err, self.notes, hint)), "\n")
end

-- Calls f so that errors and Ctrl-C come back: packed results, or nil and the exit status to end
-- with.
local function attempt(self, f, text)
  self.notes.frames, self.notes.traceback = nil, nil
  local results = table.pack(self.terminal.call(f, self.handler))
  if results[1] then return results end
  return nil, report(self, results[2], text)
end

local function show(self, block, results)
  if results.n < 2 then return end
  if results[2] ~= nil then rawset(_G, "_", results[2]) end
  if block.is_silent or results.n == 2 and prompt_figures.was_shown(results[2]) then return end
  attempt(self, function()
    local hint = results.n == 2 and results[2] == nil and suggestion.for_nil(block.text)
    stdout:write(show_value.results(table.unpack(results, 2, results.n)), hint or "", "\n")
  end, block.text)
end

local function run_block(self, text)
  local block, message = input.load(text)
  if not block then
    stderr:write(style.error(core.shown(message, true)), "\n")
    return nil
  end
  local before = core.ticks() - pager.seconds
  prompt_figures.begin()
  local results, status = attempt(self, block.chunk, text)
  local seconds = core.ticks() - pager.seconds - before
  if results then
    show(self, block, results)
    self.commands:worked(block)
  end
  stdout:flush()
  if seconds > SLOW then stderr:write(("(%.2f s)\n"):format(seconds)) end
  return status
end

local function run_text(self, text)
  local sign, rest = input.command(text)
  if not sign then return run_block(self, text) end
  local command = sign == "?" and self.commands.explain or self.commands.shell
  return select(2, attempt(self, function() command(self.commands, rest) end, text))
end

-- Runs a text, and what edit() has made in it.
local function enter(self, text)
  local status
  repeat
    keep(self, text)
    status = run_text(self, text)
    text = self.commands:take_edited()
  until status or not text
  return status
end

-- The globals of the prompt, unless a script has made its own.
local function open_globals(self)
  help_prompt.open(self.bnn)
  pager.at_prompt = true
  for name, value in pairs(self.commands:globals()) do
    if rawget(_G, name) == nil then rawset(_G, name, value) end
  end
end

local function start(terminal, bnn)
  local self = {terminal = terminal, bnn = bnn, history = history.path(), notes = {}}
  self.handler = prompt_errors.handler(terminal.call, self.notes)
  self.commands = commands.new(bnn)
  self.complete = completion.new(bnn)
  open_globals(self)
  prompt_figures.open(terminal)
  for _, text in ipairs(history.read(self.history)) do terminal.remember(text) end
  return self
end

local HINT = "(Ctrl-D or os.exit() leaves, help() shows where to start)\n"

--- Runs the prompt until its user leaves it.
-- @param terminal table: read, edits, remember, call, special of the program; no_env: its option -E
-- @param bnn table: the library
-- @return the exit status
function M.run(terminal, bnn)
  local self = start(terminal, bnn)
  local status = not terminal.no_env and select(2, attempt(self, start_file.run, "")) or nil
  self.commands:mark()
  while not status do
    local text, was_begun = read_block(self)
    if text == nil then break end
    if text then
      status = enter(self, text)
    elseif not was_begun then
      stderr:write(HINT)
    end
  end
  if not status then stdout:write "\n" end
  return status or 0
end

return M
