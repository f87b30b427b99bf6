--- The scripts in the program: their text, and what Lua has compiled it to.
local lu = require "luaunit"
local loader = require "bnn.loader"

TestLoader = {}

function TestLoader.test_compiled_scripts_are_those_of_the_text()
  if not loader.code "bnn" then
    lu.skip "the program was built for another processor, or with another release of Lua"
  end
  for _, script in ipairs(loader.list()) do
    local code = loader.code(script.name)
    if script.path:find "%.lua$" then
      local chunk = load(loader.source(script.name), "@" .. script.path)
      lu.assertTrue(code == string.dump(chunk), script.name)
    else
      lu.assertNil(code)
    end
  end
end

function TestLoader.test_functions_know_their_lines()
  local about = debug.getinfo(require "bnn.base.fail".try, "S")
  local text = loader.source "bnn.base.fail"
  local _, line = text:sub(1, text:find("function M.try", 1, true)):gsub("\n", "")
  lu.assertEquals(about.source, "@scripts/bnn/base/fail.lua")
  lu.assertEquals(about.linedefined, line + 1)
end

function TestLoader.test_what_is_not_there_has_no_code()
  lu.assertNil(loader.code "bnn.absent")
end

os.exit(lu.LuaUnit.run())
