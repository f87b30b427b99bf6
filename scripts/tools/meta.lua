--- definition files for editors, which then complete names and check types
--
-- bnnlua -m meta DIR
local bnn = require "bnn"
local meta_files = require "bnn.reference.meta_files"
local refusal = require "bnn.base.refusal"
local strings = require "bnn.base.strings"

local USAGE = [[
usage: bnnlua -m meta DIR

Writes definition files for the language servers of Lua, LuaLS and EmmyLua, into the folder DIR:
bnn.lua, which an editor finds for require "bnn", and bnn_types.d.lua, the classes of objects and of
option tables. Editors then complete names, show the texts of help, and check types. The files are
not run. They are written again after an update.

An editor reads them if a file .luarc.json beside your scripts says

  {"runtime.version": "Lua 5.4", "workspace.library": ["DIR"]}

which VS Code's extension Lua (sumneko.lua) and Neovim's lua_ls and emmylua_ls read, or their
settings Lua.runtime.version and Lua.workspace.library.]]

local word = arg[1]
if word == "--help" or word == "-h" then
  print(USAGE)
  return
end
local is_wrong = not word or word == "" or word:find "^%-" or arg[2]
refusal.assert_or_exit(not is_wrong, "expected the folder to write: bnnlua -m meta DIR")
local paths = refusal.assert_or_exit(meta_files.write(bnn, word))
for _, path in ipairs(paths) do print(path) end
strings.notice "for an editor, in a file .luarc.json beside your scripts:"
strings.notice(meta_files.settings(word))
