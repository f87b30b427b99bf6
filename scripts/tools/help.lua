--- the help of the prompt, in a shell; --html=DIR writes it as pages
--
-- bnnlua -m help [NAME | WORD ...]: a guide, a function, or everything that has the words
local bnn = require "bnn"
local reference = require "bnn.reference.reference_command"

local folder = reference.folder(arg)
if arg[1] == "--help" then
  print "usage: bnnlua -m help [NAME | WORD ...]"
  print(reference.USAGE)
  print "\nWithout a flag, it shows a guide (start, data, ...), the documentation of a name"
  print "(bnn.train), or what has the words; without anything, where to start."
elseif folder then
  reference.run(bnn, folder)
else
  bnn.help(arg[1] and table.concat(arg, " "))
end
