--- data sets: list, download, show, verify
--
-- bnnlua -m data list | get NAME | show NAME [INDEX | FROM..TO ...] | verify DIR
local bnn = require "bnn"
local core = require "bnn.core"
local fetch = require "bnn.data.fetch"
local flags = require "bnn.run.flags"
local formats = require "bnn.data.formats.formats"
local help_text = require "bnn.help.help_text"
local nearest = require "bnn.base.nearest"
local shapes = require "bnn.base.shapes"
local text_image = require "bnn.plot.canvas.text_image"
local data_paths = require "bnn.data.data_paths"
local dataset_registry = require "bnn.data.dataset_registry"
local usage = require "bnn.run.usage"

local assert_or_exit = bnn.assert_or_exit
local PROGRAM = "bnnlua -m data"

-- The row of a name; ends the program when it is none.
local function known_row(name)
  return assert_or_exit(dataset_registry.find(name), dataset_registry.unknown(name))
end

-- ---- list ----

local origins = {env = "$BNNLUA_DATA", system = "system", cache = "cache"}

-- Where a set that is downloaded lies, in words.
local function where(row)
  for _, place in ipairs(data_paths.list(row.name, true)) do
    local missing = fetch.missing(row, place.folder)
    local has_some = #missing < #row.files
    if has_some and not (place.flat and fetch.other_set(row, place.folder)) then
      local lacks = missing[1] and (", without %s"):format(missing[1][1]) or ""
      return ("%s (%s%s)"):format(place.folder, origins[place.origin], lacks)
    end
  end
  return ("not here: `%s get %s` downloads it"):format(PROGRAM, row.name)
end

local function list()
  local rows = {}
  for i, row in ipairs(dataset_registry.rows) do
    rows[i] = {row.name, row.about, row.generate and "drawn on demand" or where(row)}
  end
  print(bnn.table_text.render(rows, {"name", "what", "where"}))
end

-- ---- get ----

local function get(_, words)
  for _, name in ipairs(words) do
    local row = known_row(name)
    if row.generate then
      print(("%s: the program draws it; there is nothing to download"):format(name))
    else
      local folder, count = fetch.get(row, {})
      local fault = "no %s data: looked in %s; %s"
      if not folder then assert_or_exit(nil, fault:format(name, data_paths.words(name), count)) end
      local news = count == 0 and "already there" or ("%d files downloaded"):format(count)
      print(("%s: %s (%s)"):format(name, folder, news))
    end
  end
end

-- ---- show ----

-- The images of a part as tables of 0 to 1; what is no byte is scaled by the greatest value.
local function image_reader(part)
  local x = part.x
  if x:dim() == 4 and x:size(2) == 1 then x = x:reshape(x:size(1), x:size(3), x:size(4)) end
  local fault = "the examples are %s, only images [n, h, w] can be shown"
  assert_or_exit(x:dim() == 3, fault:format(shapes.text(x)))
  return function(i)
    local image = x:select(1, i):totable()
    local most = 255
    if x:dtype() ~= "u8" then
      most = 1e-30
      for _, row in ipairs(image) do most = math.max(most, table.unpack(row)) end
    end
    for _, row in ipairs(image) do
      for k, v in ipairs(row) do row[k] = math.min(math.max(v / most, 0), 1) end
    end
    return image
  end
end

-- A positive index from a word of the command line.
local function index_of(word, size)
  local i = math.tointeger(tonumber(word))
  local form = "INDEX: expected 1 to %d, or -1 to -%d from the end, got %s"
  local fault = form:format(size, size, word)
  assert_or_exit(i and i ~= 0 and math.abs(i) <= size, fault)
  return i < 0 and i + size + 1 or i
end

-- The indices of words: 3, -1, or 1..20, both included.
local function indices_of(words, size)
  local indices = {}
  for _, word in ipairs(words) do
    local from, to = word:match "^(.-)%.%.(.+)$"
    from, to = index_of(from or word, size), index_of(to or word, size)
    for i = from, to, from <= to and 1 or -1 do indices[#indices + 1] = i end
  end
  return indices
end

local function title_of(data, part, i)
  local label = part.y and part.y[i]
  local names = part.classes or data.names
  local name = label and names and names[label + 1] or label
  return name and ("%d: %s"):format(i, name) or ("%d"):format(i)
end

-- Writes the images, lists of rows, as one image, pixel by pixel.
local function save_png(path, images, across)
  local ending = "--png: expected a path that ends in .png, got '%s'"
  assert_or_exit(path:find "%.png$", ending:format(path))
  assert_or_exit(bnn.plot.images{x = bnn.tensor(images), columns = across, scale = 1, path = path})
  print(("%s: %d images"):format(path, #images))
end

local function show(cfg, words)
  local name = table.remove(words, 1)
  local data = assert_or_exit(bnn.data.load(name, {dir = cfg.data_dir}))
  local part_name = cfg.part or data.train and "train" or "test"
  local part = assert_or_exit(data[part_name], ("%s has no %s images"):format(name, part_name))
  local read, images, titles = image_reader(part), {}, {}
  for i = 1, words[1] and 0 or math.min(10, part.size) do words[i] = tostring(i) end
  for k, i in ipairs(indices_of(words, part.size)) do
    images[k], titles[k] = read(i), title_of(data, part, i)
  end
  assert_or_exit(images[1], ("%s has no %s images"):format(name, part_name))
  if cfg.png then return save_png(cfg.png, images, cfg.columns) end
  local mode = cfg.colour == "auto" and text_image.mode() or cfg.colour
  io.write(text_image.grid(images, titles, mode, core.terminal "stdout" or 80))
end

-- ---- verify ----

local FILES = dataset_registry.find("mnist").files -- the four names

-- The files of a folder: a list of {name=, path=, sha256=} or, where one is broken, fault=.
local function digests(folder)
  local found = {}
  for _, file in ipairs(FILES) do
    local path = fetch.path_of(file, folder)
    if path then
      local sha256, fault = core.digest(path, 1 << 30)
      fault = not sha256 and fault or nil
      found[#found + 1] = {name = file[1], path = path, sha256 = sha256, fault = fault}
    end
  end
  return found
end

local function known_hash(row, name)
  for _, file in ipairs(row and row.files or {}) do
    if file[1] == name then return file[3] end
  end
end

-- The set that most of the files are of; where none is of any, the one that the folder is called.
local function set_of(found, folder)
  local best, most = dataset_registry.find(folder:match "[^/]*$"), 0
  for _, row in ipairs(dataset_registry.rows) do
    local count = 0
    for _, file in ipairs(found) do
      if file.sha256 and file.sha256 == known_hash(row, file.name) then count = count + 1 end
    end
    if count > most then best, most = row, count end
  end
  return best
end

-- What is wrong with a file, or nil.
local function fault_of(file, row)
  if file.fault then return file.fault end
  local wanted = known_hash(row, file.name)
  if not row then return "belongs to no known data set, SHA-256 " .. file.sha256 end
  if not wanted then return ("is not one of %s's known files"):format(row.name) end
  if file.sha256 == wanted then return nil end
  return ("differs: SHA-256 %s, %s's is %s"):format(file.sha256, row.name, wanted)
end

-- Prints a line for each file; gives how many are right and how many are not.
local function verify_folder(folder, found)
  local row, right, wrong = set_of(found, folder), 0, 0
  local function line(path, fault)
    if fault then wrong = wrong + 1 else right = right + 1 end
    local start = fault and fault:sub(1, #path + 2) == path .. ": " and #path + 3 or 1
    local text = fault and fault:sub(start) or row.name
    print(("%-4s %s: %s"):format(fault and "BAD" or "ok", path, text))
  end
  for _, file in ipairs(found) do line(file.path, fault_of(file, row)) end
  for _, file in ipairs(row and fetch.missing(row, folder) or {}) do
    line(folder .. "/" .. file[1], "missing, it is part of " .. row.name)
  end
  return right, wrong
end

local function verify(_, words)
  local right, wrong, dir = 0, 0, words[1]:gsub("(.)/+$", "%1")
  assert_or_exit(select(2, core.can_fetch()), "this build has no libcrypto, which computes SHA-256")
  assert_or_exit(core.is_folder(dir), dir .. ": no such folder")
  local folders = {dir}
  for _, name in ipairs(dataset_registry.names()) do folders[#folders + 1] = dir .. "/" .. name end
  for _, folder in ipairs(folders) do
    local found = digests(folder)
    if found[1] then
      local r, w = verify_folder(folder, found)
      right, wrong = right + r, wrong + w
    end
  end
  local none = "%s: no IDX files found; expected %s and so on, plain or .gz"
  assert_or_exit(right + wrong > 0, none:format(dir, FILES[1][1]))
  local text = "%s: %d of %d files do not match"
  assert_or_exit(wrong == 0, text:format(dir, wrong, right + wrong))
end

-- ---- the command line ----

local commands = {
  list = {
    about = "list the data sets and where they are", run = list,
    words = "", least = 0, most = 0,
  },
  get = {
    about = "download missing files into the cache, and check the others", run = get,
    words = " NAME ...", least = 1, most = math.huge,
  },
  show = {
    about = "draw images: in shades on a terminal, as text on a pipe; INDEX 1 is the first, "
      .. "-1 the last, 1..20 the first twenty (default: the first ten)",
    run = show, words = " NAME [INDEX ...]", least = 1, most = math.huge,
    defaults = {
      part = {nil, "part to show (default: train if there is one)", choices = {"train", "test"}},
      data_dir = {nil, "the folder of the data set"},
      colour = {"auto", "how a terminal shows grey", choices = {"auto", "24bit", "256", "none"}},
      png = {nil, "write the images to this file instead"},
      columns = {nil, "images in a row of that file (default: a square)", type = "integer",
                 min = 1},
    },
    renamed = {dir = "data_dir"},
  },
  verify = {
    about = "check the files of a folder against their known SHA-256; status 1 if one differs",
    run = verify, words = " DIR", least = 1, most = 1,
  },
}
local ORDER = {"list", "get", "show", "verify"}

local function print_help(out)
  out:write(("usage: %s list | get NAME | show NAME [INDEX ...] | verify DIR\n\n"):format(PROGRAM))
  for _, name in ipairs(ORDER) do
    local lines = help_text.wrap(commands[name].about, 70)
    for i, line in ipairs(lines) do
      out:write(("  %-6s  %s\n"):format(i == 1 and name or "", line))
    end
  end
  local names = table.concat(dataset_registry.names(), ", ")
  out:write("\n" .. table.concat(help_text.wrap("NAME is " .. names
    .. ", or the path of a folder or file (" .. formats.words("or", formats.is_set)
    .. "). COMMAND --help shows the flags of a command.", 80), "\n"), "\n")
  out:write [[

Environment variables:
  BNNLUA_DATA=DIR          the folder to search for data sets
  BNNLUA_OFFLINE=1         never download
  BNNLUA_MIRRORS=URL,...   other sources; {name} stands for the data set's name
  SSL_CERT_FILE=FILE       other certificates to trust
  XDG_CACHE_HOME=DIR       the folder of the cache
]]
end

local function find_command(word)
  if commands[word] then return commands[word] end
  local near = nearest.find(word, ORDER)
  local hint = near and (": did you mean %s?"):format(near) or ""
  assert_or_exit(nil, ("unknown command '%s'%s known are %s"):format(word,
    hint == "" and ":" or hint, table.concat(ORDER, ", ")))
end

local function main(argv)
  local word = argv[1]
  if not word or word == "-h" or word == "--help" or word == "help" then
    print_help(word and io.stdout or io.stderr)
    return assert_or_exit(word, "expected a command: " .. table.concat(ORDER, ", "))
  end
  local command = find_command(word)
  local defaults, program = command.defaults or {}, ("%s %s%s"):format(PROGRAM, word, command.words)
  local rest = table.move(argv, 2, #argv, 1, {})
  if flags.wants_help(rest) then
    io.write(usage.text({about = command.about, defaults = defaults}, program, command.run))
    return
  end
  local cfg = assert_or_exit(flags.parse(rest, defaults, true, command.renamed))
  local words = cfg.positional
  local count_fits = #words >= command.least and #words <= command.most
  assert_or_exit(count_fits, ("%s: usage: %s"):format(word, program))
  command.run(cfg, words)
end

local function guarded(argv)
  local _ <close> = setmetatable({}, {__close = function(_, err)
    require "bnn.run.experiment".explain_interrupt(err)
  end})
  require "bnn.signal".guard(main, argv)
end

guarded(arg)
