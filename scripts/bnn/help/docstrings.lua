--- Documentation entries, gathered from where the things themselves are written: `---` comments in
-- the library's scripts, the op table, and the rows of the C functions.
-- An entry is {name = "bnn.optim.adam", call = "bnn.optim.adam(opts)", doc = "...", module =,
-- field =, file = "scripts/bnn/inference/optim.lua", line = 243}; all but name and doc only where a
-- script has it. field is its path in the module's value, line that of the definition.
-- An op has types= (a sentence) and gradient= (whether it has one) besides.
--
-- A text has these parts, in this order, each from a line of its own:
--   sentences  what it does, the first being the summary that lists show. Shapes in brackets, x
--              [n, d]; units in words: nats, seconds, bytes. Tables are indented by two spaces
--   example    indented by four spaces, before the first @: code that runs as it stands in
--              tests/lua/help/test_examples.lua, results behind --> or --
--   @param     NAME, its type, [shape], ": ", what it is; @param a, b of several alike
--   @return    the type, [shape]; "or nil, message" where the world can refuse
--   Raises     "Raises if ...", in any place: misuse, besides arguments of the wrong kind, which
--              every function names
-- A paper is cited as (Liu et al. 2020); what help shows as the source is in bnn.help.references.
-- tests/lua/help/test_complete.lua holds every entry against this.
local strings = require "bnn.base.strings"

local M = {}

-- What a line of code defines: its path ("M.adam", "Log:row"), its parameters, whether it is local.
local function definition(line)
  local path, params = line:match "^%s*function%s+([%w_.:]+)%s*(%b())"
  if path then return path, params end
  path, params = line:match "^local%s+function%s+([%w_]+)%s*(%b())"
  if path then return path, params, true end
  params = line:match "^return%s+function%s*(%b())"
  if params then return "", params end
  path, params = line:match "^%s*([%w_.]+)%s*=%s*function%s*(%b())"
  if path then return path, params end
  return line:match "^([%w_]+%.[%w_.]+)%s*=", nil
end

-- The block of comment lines that opens with `---` at line i: its text and the line after it.
local function read_block(lines, i)
  local text = {}
  repeat
    text[#text + 1] = lines[i]:gsub("^%s*%-%-+ ?", "")
    i = i + 1
  until not (lines[i] and lines[i]:find "^%s*%-%-")
  return table.concat(text, "\n"), i
end

--- The comment that ends above a line of a file, without its dashes; none if a blank line or code
-- stands there.
-- @param lines list of strings
-- @param number integer: the line of the definition
-- @return list of strings
function M.comment_above(lines, number)
  local first = number
  while (lines[first - 1] or ""):find "^%s*%-%-" do first = first - 1 end
  if first == number then return {} end
  local text, comment = read_block(lines, first), {}
  for line in (text .. "\n"):gmatch "(.-)\n" do comment[#comment + 1] = line end
  return comment
end

-- What a module's functions are named after: its file, wherever it stands. bnn.inference.optim ->
-- bnn.optim; M.names of bnn.help.public knows those that users write otherwise.
local function named_after(module)
  return module:find "^bnn%." and "bnn." .. module:match "[^.]+$" or module
end

-- The entry of a definition in a module whose source returns the table `exported`. Methods go by
-- the name of their class in small letters: Log:row -> "log:row".
local function make_entry(module, exported, path, params)
  local class, method = path:match "([%w_]+):([%w_]+)$"
  local entry = {module = module}
  if class then
    entry.name = strings.lower(class) .. ":" .. method
  else
    entry.field = path:gsub("^" .. exported .. "%.", ""):gsub("^" .. exported .. "$", "")
    local name = named_after(module)
    entry.name = entry.field == "" and name or name .. "." .. entry.field
  end
  entry.call = params and entry.name .. params
  return entry
end

-- The name that the module's last line returns: `return M`.
local function exported_name(lines)
  local last = #lines
  while last > 1 and not lines[last]:find "%S" do last = last - 1 end
  return lines[last]:match "^return%s+([%a_][%w_]*)%s*$" or "M"
end

-- A local function is public when the module hands it out under its name: `return adam`,
-- `return {adam = adam}`, `M.adam = adam`.
local function is_exported(source, exported, name)
  local fields = (source:match "\nreturn%s+(%b{})%s*$" or ""):gsub("%-%-[^\n]*", "")
  return exported == name
    or fields:find("%f[%w_]" .. name .. "%f[^%w_]")
    or source:find("\n[%w_]+%." .. name .. "%s*=%s*" .. name .. "%s*\n")
end

-- The entry of a block of comments, if it stands above something public or opens the file.
local function block_entry(source, exported, module, next_line, opens_file)
  local path, params, is_local = definition(next_line)
  if path and (not is_local or is_exported(source, exported, path)) then
    return make_entry(module, exported, path, params)
  end
  return opens_file and not path and {module = module, name = named_after(module), field = ""}
end

--- The entries of a module's source text. The first block of the file, standing before no
-- definition, documents the module itself.
function M.parse(source, module)
  local lines, entries, i = {}, {}, 1
  for line in (source .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  local exported = exported_name(lines)
  while lines[i] do
    if lines[i]:find "^%s*%-%-%-" then
      local doc, after = read_block(lines, i)
      local entry = block_entry(source, exported, module, lines[after] or "", i == 1)
      if entry then
        entry.doc, entry.line = doc, after
        entries[#entries + 1] = entry
      end
      i = after
    else
      i = i + 1
    end
  end
  return entries
end

-- The module `name`, or nil where this build lacks it.
local function optional(name)
  local ok, module = pcall(require, name)
  return ok and type(module) == "table" and module or nil
end

-- The entries of a script of the library; none of another.
local function read_script(loader, script)
  local name = script.name
  local module = name:gsub("%.init$", "")
  local source = (module == "bnn" or module:find "^bnn%.") and loader.source(name)
  local found = source and M.parse(source, module) or {}
  if source and not (found[1] and found[1].field == "") then -- known, if only by its members
    found[#found + 1] = {module = module, name = named_after(module), field = "", doc = ""}
  end
  for _, entry in ipairs(found) do entry.file = script.path end
  return found
end

local read = {} -- script -> its entries, which do not change while the program runs

local function add_scripts(entries)
  local loader = optional "bnn.loader"
  for _, script in ipairs(loader and loader.list() or {}) do
    local found = read[script.name] or read_script(loader, script)
    read[script.name] = found
    table.move(found, 1, #found, #entries + 1, entries)
  end
end

local function add_rows(entries, rows, prefix)
  for _, row in ipairs(rows) do
    local name = row.name:find "[.:]" and row.name or prefix .. row.name
    entries[#entries + 1] = {name = name, doc = row.doc, types = row.types, gradient = row.gradient}
  end
end

--- Every documentation entry of the library, sorted by name.
function M.collect()
  local entries = {}
  add_scripts(entries)
  local core = optional "bnn.core"
  if core and core.docs then add_rows(entries, core.docs(), "bnn.") end
  if core and core.op_docs then add_rows(entries, core.op_docs(), "x:") end
  table.sort(entries, function(a, b)
    if a.name ~= b.name then return strings.before(a.name, b.name) end
    return strings.before(a.doc or "", b.doc or "")
  end)
  return entries
end

return M
