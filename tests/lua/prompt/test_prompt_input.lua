--- What a text entered at the prompt means, and that its locals live on.
local lu = require "luaunit"

local lua_tokens = require "bnn.prompt.lua_tokens"
local prompt_input = require "bnn.prompt.prompt_input"
local top_locals = require "bnn.prompt.top_locals"

TestPromptInput = {}

function TestPromptInput.test_expressions_give_their_values()
  for text, want in pairs{
    ["1 + 1"] = 2, ["= 3"] = 3, ["return 4"] = 4, ["5;"] = 5, ["2 *\n3"] = 6, ["7 -- seven"] = 7,
  } do
    lu.assertEquals(assert(prompt_input.load(text)).chunk(), want, text)
  end
end

function TestPromptInput.test_a_semicolon_at_the_end_is_silent()
  for text, want in pairs{
    ["1;"] = true, ["1; -- note"] = true, ["1"] = false, ["';'"] = false, ["x = 1;"] = true,
  } do
    lu.assertEquals(prompt_input.load(text).is_silent, want, text)
  end
end

function TestPromptInput.test_incomplete_input_goes_on_and_wrong_input_does_not()
  for text, want in pairs{
    ["for i = 1, 2 do"] = true, ["{1,"] = true, ["f("] = true, ["x ="] = true, ["1 +"] = true,
    ["--[["] = true, ["'open\\"] = true, ["[[text"] = true, ["local x <const> ="] = true,
    ["x = = 1"] = false, ["1 2"] = false, ["'open"] = false, ["end"] = false, ["x y"] = false,
  } do
    local block, message, is_incomplete = prompt_input.load(text)
    lu.assertNil(block, text)
    lu.assertStrContains(message, "stdin:1:")
    lu.assertEquals(is_incomplete, want, text)
  end
end

function TestPromptInput.test_nothing_and_comments_are_complete()
  for _, text in ipairs{"", "  ", "-- note", "--[[ long ]]"} do
    lu.assertEquals(select("#", prompt_input.load(text).chunk()), 0, text)
  end
end

function TestPromptInput.test_commands_are_told_from_lua()
  lu.assertEquals({prompt_input.command "$ ls -l "}, {"$", "ls -l"})
  lu.assertEquals({prompt_input.command "?bnn.train"}, {"?", "bnn.train"})
  lu.assertEquals({prompt_input.command "?"}, {"?", ""})
  lu.assertNil(prompt_input.command "x = '$'")
end

function TestPromptInput.test_top_locals_become_globals()
  for text, want in pairs{
    ["local x = 1"] = " x = 1",
    ["local x"] = " x = nil",
    ["local a, b\nf()"] = " a, b = nil\nf()",
    ["local a <const>, b = 1, 2"] = " a , b = 1, 2",
    ["local function f() local y end"] = " function f() local y end",
    ["do local x = 1 end local z = 2"] = "do local x = 1 end  z = 2",
    ["local s = 'local t'\nlocal u = 1"] = " s = 'local t'\n u = 1",
    ["if a then local b end local c"] = "if a then local b end  c = nil",
    ["repeat local a until a local b = 1"] = "repeat local a until a  b = 1",
    ["for i = 1, 2 do local a end while x do local b end local c = 1"] =
      "for i = 1, 2 do local a end while x do local b end  c = 1",
    ["local x --[[ local ]] = 1 -- local y"] = " x --[[ local ]] = 1 -- local y",
    ["local c <close> = f"] = "local c <close> = f",
    ["local _ENV = {}"] = "local _ENV = {}",
  } do
    lu.assertEquals(top_locals.release(text), want)
    lu.assertNotNil(load(want), want)
  end
end

function TestPromptInput.test_released_functions_share_their_variables()
  local env = {}
  local text = top_locals.release "local n = 0\nlocal function count() n = n + 1 return n end"
  load(text, "t", "t", env)()
  env.count()
  lu.assertEquals(env.n, 1)
end

function TestPromptInput.test_tokens_know_what_is_open()
  local function last(text)
    local tokens = lua_tokens.list(text)
    local token = tokens[#tokens]
    return token.kind, token.open and true or false
  end
  lu.assertEquals({last "io.open 'fi"}, {"string", true})
  lu.assertEquals({last [["a\"b"]]}, {"string", false})
  lu.assertEquals({last "[==[ ]] "}, {"string", true})
  lu.assertEquals({last "x -- note"}, {"comment", true})
  lu.assertEquals({last "0x1p4"}, {"number", false})
  lu.assertEquals({last "a..b"}, {"name", false})
end

os.exit(lu.LuaUnit.run())
