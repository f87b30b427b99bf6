--- Old public names (bnn.base.renamed): functions, methods, options.
local lu = require "luaunit"
local core = require "bnn.core"
local options = require "bnn.base.options"
local renamed = require "bnn.base.renamed"

local function fault_of(f, ...)
  local ok, fault = pcall(f, ...)
  lu.assertFalse(ok)
  return fault
end

TestRenamed = {}

function TestRenamed.test_an_old_name_of_a_function_raises_the_new_one_at_the_users_line()
  local module = {load_into = print}
  renamed.functions(module, "bnn.box", {take = "load_into", leave = "bnn.leave_it"})
  local fault = fault_of(function() return module.take end)
  lu.assertStrMatches(fault, ".*test_renamed%.lua:%d+: bnn%.box%.take is now bnn%.box%.load_into")
  lu.assertStrContains(fault_of(function() module.take(1) end), "is now bnn.box.load_into")
  lu.assertStrContains(fault_of(function() return module.leave end),
    ": bnn.box.leave is now bnn.leave_it")
end

function TestRenamed.test_new_and_unknown_names_are_as_they_were_and_pairs_shows_no_old_one()
  local module = {load_into = print}
  renamed.functions(module, "bnn.box", {take = "load_into"})
  lu.assertEquals(module.load_into, print)
  lu.assertNil(module.tike)
  local names = {}
  for name in pairs(module) do names[#names + 1] = name end
  lu.assertEquals(names, {"load_into"})
end

function TestRenamed.test_a_module_that_is_called_and_looks_up_elsewhere_still_does()
  local module = setmetatable({}, {__call = function(_, x) return x + 1 end, __index = {two = 2}})
  renamed.functions(module, "bnn.box", {of = "resolve"})
  renamed.functions(module, "bnn.box", {at = "position"})
  lu.assertEquals({module(1), module.two, module.three}, {2, 2})
  lu.assertStrContains(fault_of(function() return module.of end), "box.of is now bnn.box.resolve")
  lu.assertStrContains(fault_of(function() return module.at end), "bnn.box.at is now ")
end

function TestRenamed.test_an_old_method_raises_on_objects_of_the_class()
  local Class = {}
  Class.__index = Class
  function Class:state_dict() return self end
  renamed.methods(Class, "state", {record = "state_dict"})
  local object = setmetatable({}, Class)
  lu.assertIs(object:state_dict(), object)
  lu.assertStrContains(fault_of(function() object:record() end),
    ": state:record is now state:state_dict")
end

function TestRenamed.test_an_old_option_raises_the_new_one_and_is_not_listed()
  local spec = {num_samples = "integer", renamed = {samples = "num_samples"}}
  local function predict(opts) return options.check("bnn.predict", opts, spec), nil end
  lu.assertEquals(predict{num_samples = 3}, {num_samples = 3})
  lu.assertStrMatches(fault_of(predict, {samples = 3}),
    ".*test_renamed%.lua:%d+: bnn%.predict: samples is now num_samples")
  lu.assertStrContains(fault_of(predict, {renamed = 3}),
    "unknown option 'renamed': known are num_samples")
end

function TestRenamed.test_modules_of_the_library_that_are_ops_too_are_called_as_before()
  local bnn = require "bnn"
  lu.assertEquals(bnn.log(core.ones(2)):totable(), {0, 0})
end

os.exit(lu.LuaUnit.run())
