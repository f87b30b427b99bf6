--- the help of the prompt, in a shell
--
-- bnnlua -m help [NAME | WORD ...]: a guide, a function, or everything that has the words
local bnn = require "bnn"
local help = require "bnn.help.help"
local pager = require "bnn.help.pager"
local reference = require "bnn.reference.reference_command"
local refusal = require "bnn.base.refusal"

local USAGE = {
  "usage: bnnlua -m help [NAME | WORD ...]",
  "       bnnlua -m help --search WORD ...",
  "       bnnlua -m help --html=DIR",
  "",
  "Shows a guide (start, data, ...), the documentation of a name (bnn.train), or what has the",
  "words; with --search, what has the words even if they are a name. Without any, where to start.",
  "The exit status is 1 if there is nothing.",
  "",
}

if arg[1] == "--help" or arg[1] == "-h" then
  table.move(reference.USAGE, 1, #reference.USAGE, #USAGE + 1, USAGE)
  return pager.write(USAGE)
end
local folder = reference.folder(arg)
if folder then return reference.run(bnn, folder) end

local is_search = arg[1] == "--search"
local text = table.concat(arg, " ", is_search and 2 or 1)
local find = is_search and help.search or help.lines
local lines, is_found = find(bnn, (is_search or text ~= "") and text or nil)
refusal.assert_or_exit(is_found, table.concat(lines, "\n"))
pager.write(lines)
