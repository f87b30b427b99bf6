--- the help of the prompt, in a shell
--
-- bnnlua -m help [NAME | WORD ...]: a guide, a function, or everything that has the words
local bnn = require "bnn"

if arg[1] == "--help" then
  print "usage: bnnlua -m help [NAME | WORD ...]\n"
  print "Shows a guide (start, data, ...), the documentation of a name (bnn.train), or what has the"
  print "words. Without one, where to start."
else
  bnn.help(arg[1] and table.concat(arg, " "))
end
