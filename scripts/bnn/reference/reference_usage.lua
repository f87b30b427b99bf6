--- The flags of tools and experiments: what their --help prints, from processes of this program.
local core = require "bnn.core"
local experiments_folder = require "bnn.reference.experiments_folder"
local strings = require "bnn.base.strings"

local M = {}

local SECONDS = 20

-- What the program prints with these words behind it; nil if it fails.
local function ask(words)
  local program = core.real_path "/proc/self/exe" or "bnnlua"
  local given = {"env", "BNNLUA_RUNS=", "BNNLUA_OFFLINE=1", program, table.unpack(words)}
  local done = core.run_program(given, "", SECONDS)
  return done and done.status == 0 and done.output or nil
end

--- The program and its version, "bnnlua 0.1.0 (1683c75e)".
function M.version() return (ask{"-v"} or "bnnlua"):match "^[^\n]*" end

-- The commands that a tool's help lists: "list  ..." at a margin of two.
local function commands_in(text)
  local commands = {}
  for line in text:gmatch "[^\n]+" do
    local name = line:match "^  (%l[%l_]+)%s%s+%S" or line:match "^  (%l[%l_]+)$"
    if name then commands[#commands + 1] = name end
  end
  return commands
end

-- The first line of a tool's source says what it does.
local function summary_of(source) return source:match "^%-%-%-%s*([^\n]*)" or "" end

local function tool(name, source)
  local text = ask{"-m", name, "--help"}
  if not text then return nil end
  local texts = {{"bnnlua -m " .. name .. " --help", text}}
  local has_commands = text:gsub("%s+", " "):find("COMMAND --help shows", 1, true)
  for _, command in ipairs(has_commands and commands_in(text) or {}) do
    local own = ask{"-m", name, command, "--help"}
    if own then texts[#texts + 1] = {("bnnlua -m %s %s --help"):format(name, command), own} end
  end
  return {kind = "tool", file = ("tool-%s.html"):format(name), name = name, texts = texts,
          title = "bnnlua -m " .. name, summary = summary_of(source)}
end

--- Pages of the tools: {kind="tool", file=, name=, title=, summary=, texts = list of {command,
-- text}}.
function M.tools()
  local loader, pages = require "bnn.loader", {}
  for _, script in ipairs(loader.list()) do
    local name = script.name:match "^tools%.([%w_]+)$"
    pages[#pages + 1] = name and tool(name, loader.source(script.name)) or nil
  end
  return pages
end

-- What an experiment prints as its help, and a sentence of it. A script that is none would run if
-- it were asked: its text says what it does.
local function about(path, source)
  if not source:find "bnn%.main%f[%W]" then
    return source, (source:match "^%-%-%-(.-)\n%f[^\n-]" or ""):gsub("\n%-%-", ""):gsub("^%s+", "")
  end
  local text = ask{path, "--help"}
  return text, text and (text:match "\n\n(.-)\n\n" or ""):gsub("\n", " ")
end

local function experiment(folder, name)
  local path, shown = ("%s/%s.lua"):format(folder, name), ("experiments/%s.lua"):format(name)
  local file <close> = io.open(path)
  local text, summary = about(path, file and file:read "a" or "")
  if not text then return nil end
  text = text:gsub(folder:gsub("%p", "%%%0"), "experiments")
  local is_help = text:find "^usage:"
  return {kind = "experiment", file = ("experiment-%s.html"):format(name), name = name,
          texts = {{is_help and ("bnnlua %s --help"):format(shown) or shown, text}},
          title = shown, summary = summary}
end

--- Pages of the experiments that come with the program, in the form of those of tools; none where
-- they are not there.
function M.experiments()
  local folder, pages = experiments_folder.find(), {}
  local names = folder and core.list_dir(folder) or {}
  local sorted = {}
  for name, kind in pairs(names) do
    sorted[#sorted + 1] = kind == "file" and name:match "^([%w_]+)%.lua$" or nil
  end
  table.sort(sorted, strings.before)
  for _, name in ipairs(sorted) do pages[#pages + 1] = experiment(folder, name) end
  return pages
end

return M
