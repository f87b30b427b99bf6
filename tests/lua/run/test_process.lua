--- Other programs run without a shell (core.run_program), or take the place of this one.
local lu = require "luaunit"
local core = require "bnn.core"

local run = core.run_program

TestRun = {}

function TestRun.test_input_goes_in_and_output_comes_back_whole()
  local text = ("0123456789abcdef"):rep(1 << 17) .. "\0end" -- 2 MiB: more than any pipe holds
  local result = run({"cat"}, text)
  lu.assertTrue(result.output == text)
  lu.assertEquals({result.errors, result.status, result.signal}, {"", 0})
end

function TestRun.test_words_are_arguments_as_they_are()
  local words = {"printf", "%s|", "a b", "$HOME", "`ls`", "'\"", "*", "", "new\nline"}
  lu.assertEquals(run(words).output, "a b|$HOME|`ls`|'\"|*||new\nline|")
end

function TestRun.test_status_signal_and_errors_come_back()
  local result = run{"sh", "-c", "echo out; echo fault >&2; exit 3"}
  lu.assertEquals(result, {output = "out\n", errors = "fault\n", status = 3})
  lu.assertEquals(run{"sh", "-c", "kill -9 $$"}, {output = "", errors = "", signal = 9})
end

function TestRun.test_a_program_that_does_not_read_its_input_is_no_sigpipe()
  lu.assertEquals(run({"true"}, ("x"):rep(1 << 22)).status, 0)
end

function TestRun.test_a_program_that_is_not_there_or_may_not_run_is_refused()
  local result, fault, cause = run{"no-such-program"}
  lu.assertEquals({result, fault, cause},
    {nil, "no-such-program: No such file or directory", "missing"})
  result, fault, cause = run{"/etc/passwd"}
  lu.assertEquals({result, fault, cause}, {nil, "/etc/passwd: Permission denied"})
end

function TestRun.test_a_program_that_takes_too_long_is_killed()
  local start = os.time()
  local result, fault = run({"sleep", "60"}, nil, 0.2)
  lu.assertEquals({result, fault}, {nil, "sleep: took more than 0.2 s"})
  lu.assertTrue(os.time() - start < 30)
end

function TestRun.test_misuse_raises()
  lu.assertErrorMsgContains("expected the name of a program", run, {})
  lu.assertErrorMsgContains("expected a list of strings", run, {"echo", 1})
  lu.assertErrorMsgContains("zero byte", run, {"echo", "a\0b"})
  lu.assertErrorMsgContains("expected a list of strings, got string", run, "echo")
  lu.assertErrorMsgContains("string expected", run, {"cat"}, {})
end

-- The open files and the children of this process.
local function held()
  local files = run{"sh", "-c", "sleep 0.1; ls /proc/$PPID/fd"}.output -- when its ends are closed
  local _, count = files:gsub("\n", "")
  local children = run{"sh", "-c", "cat /proc/$PPID/task/*/children"}.output
  return count, (children:gsub("%d+ ?", "", 1)) -- without the one that is asking
end

function TestRun.test_nothing_is_left_behind()
  if not io.open "/proc/self/stat" then return end
  collectgarbage()
  local files, children = held()
  local blocks = core.memory()
  for _ = 1, 20 do
    run({"true"}, ("x"):rep(1 << 20))
    run{"no-such-program"}
    run({"sleep", "60"}, nil, 0.01)
    pcall(run, {})
  end
  collectgarbage()
  collectgarbage()
  lu.assertEquals({held()}, {files, children})
  lu.assertEquals((core.memory()), blocks)
end

TestExec = {}

-- What this program prints and how it ends, when it runs `code`.
local function run_own(code)
  local program = assert(core.real_path "/proc/self/exe")
  return run{program, "-e", "local core = require 'bnn.core' " .. code}
end

function TestExec.test_another_program_takes_its_place_after_what_was_written()
  local result = run_own [[io.write "before "
    core.exec_program{"sh", "-c", "echo $1 $PPID; exit 7", "sh", "a b"}
    print "after"]]
  lu.assertStrContains(result.output, "before a b ")
  lu.assertNotStrContains(result.output, "after")
  lu.assertEquals(result.status, 7)
  -- the same process: its parent is ours
  lu.assertEquals(result.output:match "(%d+)\n", tostring(select(2, core.host())))
end

function TestExec.test_one_that_cannot_be_started_leaves_this_one()
  lu.assertEquals({core.exec_program{"no-such-program"}},
    {nil, "no-such-program: No such file or directory", "missing"})
  lu.assertErrorMsgContains("expected the name of a program", core.exec_program, {})
end

function TestExec.test_a_signal_ends_the_program_in_its_place()
  local result = run_own [[require "bnn.signal".guard(core.exec_program,
    {"sh", "-c", "kill -TERM $$; sleep 5"})]]
  lu.assertEquals(result.signal, 15)
end

TestBytes = {}

function TestBytes.test_bytes_are_saved_as_they_are_or_not_at_all()
  local path = os.tmpname()
  lu.assertTrue(core.save_bytes(path, "a\0b\r\n"))
  local file <close> = io.open(path, "rb")
  lu.assertEquals(file:read "a", "a\0b\r\n")
  os.remove(path)
  local ok, fault = core.save_bytes(path .. "/no", "x")
  lu.assertNil(ok)
  lu.assertStrContains(fault, path .. "/no: No such file or directory")
end

os.exit(lu.LuaUnit.run(), true)
