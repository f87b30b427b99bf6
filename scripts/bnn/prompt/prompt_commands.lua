--- What the prompt has besides Lua: ?x, $ command, timeit, who, edit, session.save.
local core = require "bnn.core"
local kinds = require "bnn.base.kinds"
local lua_tokens = require "bnn.prompt.lua_tokens"
local members = require "bnn.prompt.members"
local number = require "bnn.base.number"
local prompt_edit = require "bnn.prompt.prompt_edit"
local show_names = require "bnn.prompt.show_names"
local show_table = require "bnn.prompt.show_table"
local strings = require "bnn.base.strings"

local Commands = {}
Commands.__index = Commands

local M = {}

-- The value of a text that is a global's name, or fields of it; nil of others.
local function value_of(text)
  local path, rest = {}, text
  while rest:find "^[%a_]" do
    local name
    name, rest = rest:match "^([%w_]+)%.?(.*)$"
    path[#path + 1] = name
  end
  return rest == "" and path[1] and members.follow(path)
end

--- Explains what ?text asks about: a global's value, or a topic, in quotes or without; nothing:
-- where to start. ??text searches for words.
function Commands:explain(text)
  local is_search = text:find "^%?" ~= nil
  local words = text:gsub("^%?%s*", "")
  local quoted = words:match "^\"(.*)\"$" or words:match "^'(.*)'$"
  words = quoted or words
  if is_search and words ~= "" then return self.bnn.apropos(words) end
  local value = not quoted and words ~= "bnn" and value_of(words)
  local is_object = value and debug.getmetatable(value) ~= nil and type(value) ~= "string"
  if is_object or type(value) == "function" then return self.bnn.help(value) end
  if value ~= nil and value ~= false and not quoted then
    io.write(("%s is %s here.\n"):format(words, kinds.show(value)))
  end
  self.bnn.help(words ~= "" and words or nil)
end

--- Runs a command of the shell.
function Commands:shell(text)
  local _, how, code = os.execute(text)
  if code ~= 0 then
    strings.notice(how == "signal" and ("ended by signal %d"):format(code)
      or ("exit status %d"):format(code))
  end
end

-- ---- timeit ----

local Timing = {__name = "timing"}

local UNITS = {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {0, "ns"}}

local function seconds_text(s)
  for _, unit in ipairs(UNITS) do
    if s >= unit[1] then return number.format("%.3g %s", s / math.max(unit[1], 1e-9), unit[2]) end
  end
end

function Timing:__tostring()
  return ("%s a call (best of %d rounds of %d; mean %s)"):format(seconds_text(self.best),
    self.rounds, self.calls, seconds_text(self.mean))
end

local ROUNDS, ROUND = 5, 0.1 -- rounds, and the least seconds of one

local function seconds_of(f, calls)
  local before = core.ticks()
  for _ = 1, calls do f() end
  return core.ticks() - before
end

-- How many calls take at least a round.
local function calls_of_round(f)
  local calls = 1
  while true do
    local seconds = seconds_of(f, calls)
    if seconds >= ROUND then return calls end
    local wanted = math.ceil(calls * 1.2 * ROUND / math.max(seconds, 1e-7))
    calls = math.min(wanted, calls * 10)
  end
end

-- timeit(f): how long a call of f takes.
local function timeit(f)
  if type(f) ~= "function" then
    error("timeit: expected a function, such as function() return x:mm(y) end, got " .. type(f), 2)
  end
  local calls = calls_of_round(f)
  local best, sum = math.huge, 0
  for _ = 1, ROUNDS do
    local seconds = seconds_of(f, calls) / calls
    best, sum = math.min(best, seconds), sum + seconds
  end
  return setmetatable({best = best, mean = sum / ROUNDS, rounds = ROUNDS, calls = calls}, Timing)
end

-- ---- who ----

-- who(): the user's globals, a line each.
local function who(self)
  local names, wide = {}, 0
  for name in next, _G do
    if type(name) == "string" and not self.known[name] then
      names[#names + 1] = name
      wide = math.max(wide, #name)
    end
  end
  table.sort(names, strings.before)
  local room = math.max(20, show_names.width() - wide - 3)
  for _, name in ipairs(names) do
    local text = show_table.text(rawget(_G, name)):gsub("\n%s*", " ")
    io.write(name, (" "):rep(wide - #name + 2), strings.cut(text, room), "\n")
  end
end

-- ---- edit ----

-- Whether a block has one of the names.
local function has_name(block, names)
  for _, token in ipairs(lua_tokens.code(block.text)) do
    if token.kind == "name" and names[token.text] then return true end
  end
end

-- edit(), edit "name": what was saved is run after this block. Returns nothing; or nil, message.
local function edit(self, name)
  if name ~= nil and type(name) ~= "string" then
    error("edit: expected the name of a function or a file, got " .. type(name), 3)
  end
  local text, fault = prompt_edit.edit(name, self.last or "", self.blocks)
  if not text then return nil, fault end
  self.edited = text ~= "" and text or nil
end

--- Takes the block that edit has left to run; nil if there is none.
function Commands:take_edited()
  local text = self.edited
  self.edited = nil
  return text
end

--- Notes a text as the one that edit() begins with, if it is not a call of edit itself.
function Commands:note(text)
  if not has_name({text = text}, {edit = true}) then self.last = text end
end

-- ---- session ----

-- A block as lines of a script: an expression that is no statement is printed. `keeps`: a later one
-- may ask for its value by _.
local function script_text(block, keeps)
  local is_statement = load(block.text) ~= nil
  if not block.is_expression or is_statement and not keeps then return block.text end
  local text = block.text:gsub("%s*;%s*$", "")
  if keeps then text = "_ = " .. text .. (block.is_silent and "" or "\nprint(_)")
  else text = "print(" .. text .. ")" end
  return load(text) and text or nil
end

-- What only the prompt has.
local OWN = {
  apropos = true, edit = true, help = true, session = true, timeit = true, who = true, _tb = true,
}

local function script_lines(blocks)
  local lines, keeps = {("local bnn = require %q"):format "bnn"}, false
  for _, block in ipairs(blocks) do keeps = keeps or has_name(block, {_ = true}) end
  for _, block in ipairs(blocks) do
    if not has_name(block, OWN) then lines[#lines + 1] = script_text(block, keeps) end
  end
  return lines
end

-- session.save(path) -> true; or nil, message. A file that this session has not written stays.
local function save(self, path)
  if type(path) ~= "string" then error("session.save: expected a path, got " .. type(path), 2) end
  local there = not self.saved[path] and io.open(path, "r")
  if there then
    there:close()
    return nil, path .. ": the file exists"
  end
  local file, message = io.open(path, "w")
  if not file then return nil, message end
  file:write(table.concat(script_lines(self.blocks), "\n"), "\n")
  local ok
  ok, message = file:close()
  if not ok then return nil, path .. ": " .. message end
  self.saved[path] = true
  return true
end

--- Remembers a block that ran without an error.
function Commands:worked(block)
  if block.text:find "%S" then self.blocks[#self.blocks + 1] = block end
end

--- The globals that the prompt adds.
function Commands:globals()
  return {
    edit = function(name) return edit(self, name) end,
    timeit = timeit,
    who = function() who(self) end,
    session = {save = function(path) return save(self, path) end},
  }
end

--- Takes the globals that are there as known: who() shows later ones.
function Commands:mark()
  for name in next, _G do self.known[name] = true end
end

--- Makes the commands.
-- @param bnn table: the library
function M.new(bnn)
  local known = {_ = true, _tb = true, _PROMPT = true, _PROMPT2 = true}
  return setmetatable({bnn = bnn, blocks = {}, saved = {}, known = known}, Commands)
end

return M
