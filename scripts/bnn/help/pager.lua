--- Writes long texts a screen at a time, on a terminal: through the program that PAGER names, or
-- less, or else by itself. Everywhere else it writes them as they are.
local core = require "bnn.core"
local strings = require "bnn.base.strings"

local M = {}

--- Whether bnn.help pages: at the prompt, not in scripts.
M.at_prompt = false

--- Seconds for which readers had texts before them: no time of what was called.
M.seconds = 0

local NOT_FOUND = 127 -- the shell's status of a command that is not there

-- less ends where a text fits a screen, and leaves the text on it.
local LESS = "command -v less >/dev/null || exit 127; less -FRX"

local function write_lines(lines, from, to)
  for i = from, to do io.write(lines[i], "\n") end
end

-- A line that is typed; nil at the end of input and after Ctrl-C.
local function read_answer()
  local ok, answer = pcall(io.stdin.read, io.stdin, "l")
  if ok or type(answer) ~= "string" then return ok and answer or error(answer, 0) end
  io.write "\n"
end

-- A screen at a time; Enter goes on, q and Ctrl-C leave.
local function write_screens(lines, rows)
  local from = 1
  while from <= #lines do
    local to = math.min(#lines, from + rows - 2)
    write_lines(lines, from, to)
    if to == #lines then return end
    io.write "--More-- (Enter: next, q: leave) "
    io.flush()
    local answer = read_answer()
    if not answer or answer:find "^%s*[qQ]" then return end
    from = to + 1
  end
end

-- Runs a command on the text. The shell's command ignores Ctrl-C meanwhile, which is the pager's.
local function run_pager(command, lines)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  local _ <close> = setmetatable({}, {__close = function() os.remove(path) end})
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
  local _, how, status = os.execute(("%s <%s"):format(command, strings.shell_word(path)))
  return how ~= "exit" or status ~= NOT_FOUND
end

-- The command that pages; nil on a terminal that cannot move its cursor.
local function pager_command()
  if (os.getenv "TERM" or "dumb") == "dumb" then return nil end
  local given = os.getenv "PAGER"
  return given and given:find "%S" and given or LESS
end

--- Writes lines to the standard output as they are.
-- @param lines list of strings
function M.print(lines) write_lines(lines, 1, #lines) end

--- Writes lines to the standard output, a screen at a time where that is a terminal.
-- @param lines list of strings
function M.write(lines)
  local _, rows = core.terminal "stdout"
  local fits = not rows or #lines < rows
  if fits or io.output() ~= io.stdout or not core.terminal "stdin" then
    return M.print(lines)
  end
  io.flush()
  local command, before = pager_command(), core.ticks()
  if not (command and run_pager(command, lines)) then write_screens(lines, rows) end
  M.seconds = M.seconds + core.ticks() - before
end

return M
