--- What help is at the prompt and in -e: the globals help and apropos, which say what to write when
-- they are shown by themselves, as a function without its brackets is.
local help = require "bnn.help.help"
local pager = require "bnn.help.pager"
local refusal = require "bnn.base.refusal"

local M = {}

-- A function that shows as a sentence. Of itself it explains its name.
local function command(name, f, sentence)
  return setmetatable({}, {
    __call = function(self, topic) return f(rawequal(topic, self) and name or topic) end,
    __tostring = function() return sentence end,
  })
end

--- The globals, by name.
-- @param bnn table: the library
function M.globals(bnn)
  return {
    bnn = bnn,
    help = command("help", bnn.help,
      'help() shows where to start, help "train" explains a function'),
    apropos = command("apropos", bnn.apropos, 'apropos "learning rate" searches the texts of help'),
  }
end

--- Makes the globals, unless a script has made its own.
function M.open(bnn)
  for name, value in pairs(M.globals(bnn)) do
    if rawget(_G, name) == nil then rawset(_G, name, value) end
  end
end

-- Prints lines, or ends the program with them as its message.
local function answer(lines, is_found)
  if not is_found then return refusal.assert_or_exit(nil, table.concat(lines, "\n")) end
  pager.write(lines)
end

--- Runs the text of an option -e that begins with help or apropos: these names are the library's in
-- it, and nowhere else.
-- @param bnn table: the library
-- @param text string
function M.run(bnn, text)
  local names = {
    bnn = bnn,
    help = function(topic) answer(help.lines(bnn, topic)) end,
    apropos = function(words) answer(help.search(bnn, words)) end,
  }
  local env = setmetatable({}, {
    __index = function(_, name)
      local value = _G[name]
      if value == nil then return names[name] end
      return value
    end,
    __newindex = _G,
  })
  assert(load(text, "=(command line)", "t", env))()
end

return M
