--- Every example in help, in the README and in the guides runs: code indented by four spaces in a
-- docstring (before its first @), ```lua blocks and indented Lua in Markdown; commands have flags
-- that are known.
--
-- Each runs by itself in the world of bnn.reference.example_world: a folder of its own for files,
-- and the names that examples take as given.
local lu = require "luaunit"
local example_world = require "bnn.reference.example_world"
local help = require "bnn.help.help"
local reference_entry = require "bnn.reference.reference_entry"
local real = require "bnn"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- The program: `bnnlua -e CODE this_file` has more than it in front of the script.
local program = os.getenv "BNNLUA" or arg[-1]

-- Where this file is, whichever folder the program runs in.
local root = os.getenv "EXAMPLES_ROOT"
if not root then -- again, inside a folder that is taken away
  local here = assert(io.popen "pwd"):read "l"
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
  local found = program:find "^/" and program or here .. "/" .. program
  local script = arg[0]:find "^/" and arg[0] or here .. "/" .. arg[0]
  local ok, _, status = os.execute(("cd %s && EXAMPLES_ROOT=%s BNNLUA_OFFLINE=1 %s %s %s"):format(
    folder, script:match "^(.*)/tests/lua/", found, script, table.concat(arg, " ")))
  os.execute("rm -rf " .. folder)
  os.exit(ok and 0 or status)
end

-- ---- running ----

local world = example_world.new(real)

-- Shows values as print does, and writes nothing.
local function show(...)
  for i = 1, select("#", ...) do tostring((select(i, ...))) end
end

local function run(name, code)
  local env = example_world.environment(world, name, show)
  local stdout, chunk, fault = io.stdout, load(code, "=" .. name, "t", env)
  lu.assertNotNil(chunk, fault)
  local sink <close> = assert(io.open("/dev/null", "w"))
  io.output(sink) -- io.write, as of reports
  local ok, message = xpcall(chunk, debug.traceback)
  io.output(stdout)
  if not ok then lu.fail(name .. ": " .. tostring(message) .. "\n" .. code) end
end

TestHelpExamples, TestTexts = {}, {}

local count, without, noted = 0, {}, {}
for _, entry in ipairs(help.entries(real)) do
  local code = reference_entry.example(entry)
  if code then
    count = count + 1
    local test = "test_" .. entry.name
    while TestHelpExamples[test] do test = test .. "'" end -- methods of that name of two modules
    TestHelpExamples[test] = function() run(entry.name, code) end
  elseif (entry.call or not entry.field) and not noted[entry.name] then -- no module or constant
    without[#without + 1], noted[entry.name] = entry.name, true
  end
end

function TestHelpExamples.test_there_are_many() lu.assertTrue(count >= 35, count) end

function TestHelpExamples.test_every_public_function_has_one()
  lu.assertEquals(table.concat(without, " "), "")
end

-- The texts in Markdown: the README and the guides.
local texts = {"README.md"}
for _, script in ipairs(require "bnn.loader".list()) do
  if script.path:find "%.md$" then texts[#texts + 1] = script.path end
end

-- The code of a text: {line, text}.
local function blocks_of(path)
  local blocks, fenced, indented, number = {}, nil, nil, 0
  local function finish(block)
    if block then blocks[#blocks + 1] = {block.line, table.concat(block, "\n")} end
  end
  for line in (read(root .. "/" .. path) .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    if line:find "^```" then
      finish(fenced)
      fenced = not fenced and line == "```lua" and {line = number} or nil
    elseif fenced then
      fenced[#fenced + 1] = line
    elseif indented and line:find "^    " or line:find "^    local " or line:find "^    bnn%." then
      indented = indented or {line = number}
      indented[#indented + 1] = line
    else
      finish(indented)
      indented = nil
    end
  end
  return blocks
end

local fences = 0
for _, path in ipairs(texts) do
  for _, block in ipairs(blocks_of(path)) do
    local name = path .. ":" .. block[1]
    fences = fences + 1
    TestTexts["test_" .. name] = function() run(name, block[2]) end
  end
end

function TestTexts.test_there_are_some() lu.assertTrue(fences >= 25, fences) end

local usages = {}

-- The flags of an experiment, or of a tool, as its --help lists them.
local function usage_of(what)
  if not usages[what] then
    local pipe <close> = assert(io.popen(("%s %s --help"):format(program, what)))
    usages[what] = pipe:read "a"
  end
  return usages[what]
end

-- Every flag in a command is one of its experiment's.
function TestTexts.test_commands_have_known_flags()
  local seen = 0
  for _, path in ipairs(texts) do
    local text = read(root .. "/" .. path):gsub("\\\n%s*", "")
    for file, rest in text:gmatch "build/bnnlua experiments/([%w_]+%.lua)([^\n`#]*)" do
      local usage = usage_of(root .. "/experiments/" .. file)
      for flag in rest:gmatch "%-%-([%w_]+)" do
        seen = seen + 1
        local name = flag:gsub("^no_", "")
        local is_listed = usage:find("--" .. name, 1, true)
          or usage:find("--[no_]" .. name, 1, true)
        lu.assertTrue(is_listed ~= nil or flag == "help", path .. ": " .. file .. " --" .. flag)
      end
    end
  end
  lu.assertTrue(seen > 8, seen)
end

-- Every file that a text names is there, and so is what its links lead to.
function TestTexts.test_files_and_links_lead_somewhere()
  local seen = 0
  local function check(path, file)
    seen = seen + 1
    local found = io.open(root .. "/" .. file)
    lu.assertNotNil(found, path .. " names " .. file)
    found:close()
  end
  for _, path in ipairs(texts) do
    local text, folder = read(root .. "/" .. path), path:match "^.*/" or ""
    for link in text:gmatch "%]%(([%w_./]+)%)" do check(path, folder .. link) end
    for name in text:gmatch "`([%w_]+/[%w_./]+)`" do
      local is_ours = name:find "^runtime/" or name:find "^scripts/" or name:find "^experiments/"
        or name:find "^bindings/" or name:find "^tests/"
      if is_ours and not name:find "NAME" and not name:find "/$" then check(path, name) end
    end
  end
  lu.assertTrue(seen > 40, seen)
end

-- The commands of a text: the lines of its code, and what stands in `backquotes`.
local function commands_of(text)
  local commands, in_code = {}, false
  for line in text:gmatch "[^\n]+" do
    if line:find "^```" then in_code = not in_code end
    if in_code or line:find "^    " then commands[#commands + 1] = line:match "^%s*(.-)%s*$" end
  end
  for code in text:gmatch "`([^`\n]+)`" do commands[#commands + 1] = code end
  return commands
end

-- Every target of make that a command names is in the Makefile.
function TestTexts.test_targets_of_make_are_there()
  local makefile, seen = read(root .. "/Makefile"), 0
  for _, path in ipairs(texts) do
    for _, command in ipairs(commands_of(read(root .. "/" .. path))) do
      local words = not command:find "^luarocks " and command:match "%f[%w]make (.*)$" or ""
      for word in words:gsub("#.*", ""):gmatch "%S+" do
        if not word:find "=" then
          seen = seen + 1
          local rule = "\n" .. word:gsub("%-", "%%-") .. ":"
          lu.assertNotNil(makefile:find(rule), path .. ": make " .. word)
        end
      end
    end
  end
  lu.assertTrue(seen > 10, seen)
end

-- Every name of the library in `code` is public.
function TestTexts.test_names_of_the_library_are_public()
  local public, seen = {}, 0
  for _, entry in ipairs(help.entries(real)) do public[entry.name] = true end
  for _, path in ipairs(texts) do
    for code in read(root .. "/" .. path):gmatch "`(bnn%.[%w_.]+)[^`]*`" do
      seen = seen + 1
      local op = code:match "^bnn%.([%w_]+)$"
      lu.assertTrue(public[code] or op and public["x:" .. op] or op and public["bnn." .. op],
                    path .. ": " .. code)
    end
  end
  lu.assertTrue(seen > 40, seen)
end

example_world.make_files(world, root .. "/experiments")
os.exit(lu.LuaUnit.run())
