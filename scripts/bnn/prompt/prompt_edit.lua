--- edit(): a block, a function or a script in the user's editor; what was saved is run.
local core = require "bnn.core"
local members = require "bnn.prompt.members"
local pager = require "bnn.help.pager"
local strings = require "bnn.base.strings"

local M = {}

-- Editors that take +LINE before a file.
local TAKES_LINE = {vi = true, vim = true, nvim = true, nano = true, emacs = true, joe = true,
                    emacsclient = true, micro = true, mcedit = true, kak = true, ne = true}

local function setting(name)
  local value = os.getenv(name)
  return value and value:find "%S" and value or nil
end

-- The user's editor, a command of the shell; or nil, message.
local function editor()
  local command = setting "VISUAL" or setting "EDITOR"
  if command then return command end
  return nil, "edit: no editor: VISUAL and EDITOR are not set (as in EDITOR=nano bnnlua)"
end

local function read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text = file:read "a"
  file:close()
  return text
end

-- Runs the editor on a file. Returns true; or nil, message.
local function open(path, line)
  local command, fault = editor()
  if not command then return nil, fault end
  local name = command:match "^%S+":match "[^/]*$"
  local at = line and line > 1 and TAKES_LINE[name] and ("+%d "):format(line) or ""
  local before = core.ticks()
  local ok, how, code = os.execute(("%s %s%s"):format(command, at, strings.shell_word(path)))
  pager.seconds = pager.seconds + core.ticks() - before -- its user's time, not the block's
  if ok then return true end
  return nil, strings.message("edit: %s: %s %d; nothing is run", command,
    how == "signal" and "ended by signal" or "exit status", code)
end

-- A new file that only the user can read, with a text in it; or nil, message.
local function temporary(text)
  local path = os.tmpname()
  local named = path .. ".lua" -- by which editors know the language
  if os.rename(path, named) then path = named end
  local file, message = io.open(path, "wb")
  if not file then return nil, message end
  file:write(text)
  if text ~= "" then file:write "\n" end
  local ok, fault = file:close()
  if ok then return path end
  os.remove(path)
  return nil, fault
end

-- Edits a block. Returns what was saved, "" if nothing was changed; or nil, message.
local function edit_block(text)
  local command, no_editor = editor()
  if not command then return nil, no_editor end
  local path, message = temporary(text)
  if not path then return nil, message end
  local ok, fault = open(path)
  local edited
  if ok then edited, fault = read(path) end
  os.remove(path)
  if not edited then return nil, fault end
  edited = edited:gsub("%s+$", "")
  return edited ~= text and edited or ""
end

-- Edits a file from a line on. Returns a block that runs it, "" if nothing was changed; or nil,
-- message.
local function edit_file(path, line)
  local before, message = read(path)
  if not before then return nil, message end
  local ok, fault = open(path, line)
  if not ok then return nil, fault end
  local after, gone = read(path)
  if not after then return nil, gone end
  return after ~= before and ("dofile(%q)"):format(path) or ""
end

-- The function that a name stands for, "model.forward", or nil.
local function function_of(name)
  local path = {}
  for word in name:gmatch "[%a_][%w_]*" do path[#path + 1] = word end
  if table.concat(path, ".") ~= name then return nil end
  local value = members.follow(path)
  return type(value) == "function" and value or nil
end

-- The block of this session, from the newest on, that has the function's name and begins it on that
-- line.
local function block_of(blocks, name, line)
  for i = #blocks, 1, -1 do
    local text, at = blocks[i].text, 0
    for one in (text .. "\n"):gmatch "(.-)\n" do
      at = at + 1
      if at == line and one:find "function" and text:find(name:match "[%w_]+$", 1, true) then
        return text
      end
    end
  end
end

-- What a name means: the text of a block; or nil, path, line of a file; or nil, nil, nil, message.
local function find(name, blocks)
  local f = function_of(name)
  local info = f and debug.getinfo(f, "S")
  if not info then return nil, name, 1 end
  local text = info.source == "=stdin" and block_of(blocks, name, info.linedefined)
  if text then return text end
  local path = info.what ~= "C" and info.source:match "^@(.+)"
  local file = path and io.open(path)
  if file then
    file:close()
    return nil, path, info.linedefined
  end
  return nil, nil, nil, ("edit: %s: its source is not at hand"):format(name)
end

--- Edits a block or a file.
-- @param name string: a function's, such as "model.forward", or a file's; nil: the last block
-- @param last string: the last block
-- @param blocks list of {text=}: what has been run at the prompt
-- @return the block to run, "" for none; or nil, message
function M.edit(name, last, blocks)
  if name == nil then return edit_block(last) end
  local text, path, line, fault = find(name, blocks)
  if text then return edit_block(text) end
  if path then return edit_file(path, line) end
  return nil, fault
end

return M
