--- Names from earlier versions: using one raises at the user's line with the new name,
-- "bnn.checkpoint.take is now bnn.checkpoint.load_into". pairs and help show only the new names.
--
--     renamed.functions(M, "bnn.checkpoint", {take = "load_into"})
--     renamed.methods(State, "state", {record = "state_dict"})
--
-- Options declare old names in their spec, renamed = {samples = "num_samples"} (see
-- bnn.base.options), and flags in a field of the experiment.
local fail = require "bnn.base.fail"

local M = {}

-- Makes t[old] raise for each old name. A metatable that t has is kept and extended: a module may
-- be callable as an op, an object of a class may have an __index of its own.
local function raise_for(t, prefix, names)
  local meta = getmetatable(t) or {}
  local others = meta.__index
  function meta.__index(self, name)
    local new = names[name]
    if new then fail("%s%s is now %s%s", prefix, name, new:find "%." and "" or prefix, new) end
    if type(others) == "function" then return others(self, name) end
    return others and others[name]
  end
  setmetatable(t, meta)
end

--- Makes the old names of a module's functions raise.
-- @param module table
-- @param public string: the module's public name, "bnn.checkpoint"
-- @param names table: old name -> new name, or the whole new name "bnn.assert_or_exit"
function M.functions(module, public, names) raise_for(module, public .. ".", names) end

--- Makes the old names of a class's methods, or of an object's fields, raise.
-- @param class table: where objects look up their methods
-- @param public string: the name of objects in messages, "state"
-- @param names table: old name -> new name
function M.methods(class, public, names) raise_for(class, public .. ":", names) end

return M
