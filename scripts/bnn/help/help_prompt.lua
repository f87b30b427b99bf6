--- Makes the global `help` of the prompt: bnn.help, which says what to write when it is shown by
-- itself, as a function without its brackets is.
-- @param bnn table: the library
-- @return a value to be called
return function(bnn)
  return setmetatable({}, {
    __call = function(self, topic) return bnn.help(rawequal(topic, self) and "help" or topic) end,
    __tostring = function()
      return 'help() shows where to start, help "train" explains a function'
    end,
  })
end
