--- Data sets: what training and evaluation take their examples from.
--
-- A data set is {train=, test=} (either may be nil). A part has x [n, ...] (uint8 for images),
-- y i32 [n], size, slice(from, to), and batches{size=, key=}.
local core = require "bnn.core"
local options = require "bnn.options"

local M = {}

local Part = {__name = "bnn.data"}
Part.__index = Part

--- A part of a data set from tensors.
-- @param opts table: x [n, ...], y [n, ...] or nil, origin= where they come from, for messages
function M.part(opts)
  opts = options.check("bnn.data.part", opts, {
    x = {type = "tensor", required = true}, y = "tensor", origin = "string",
  })
  local n = opts.x:dim() > 0 and opts.x:size(1)
  if not n then error("bnn.data.part: x is a scalar, wanted [n, ...]", 2) end
  if opts.y and (opts.y:dim() == 0 or opts.y:size(1) ~= n) then
    local y = table.concat(opts.y:shape(), ", ")
    error(("bnn.data.part: x has %d rows, y is [%s]"):format(n, y), 2)
  end
  return setmetatable({
    x = opts.x:contiguous(), y = opts.y and opts.y:contiguous(), size = n, origin = opts.origin,
  }, Part)
end

--- Rows from..to, both included, as a part that shares memory; `to` may lie beyond the end.
function Part:slice(from, to)
  from, to = math.tointeger(from or 1), math.tointeger(to or self.size)
  to = to and math.min(to, self.size)
  if not from or not to or from < 1 or from > to + 1 then
    error(("slice: rows %s..%s of %d"):format(tostring(from), tostring(to), self.size), 2)
  end
  local n = to - from + 1
  local y = self.y and self.y:narrow(1, from, n)
  return M.part{x = self.x:narrow(1, from, n), y = y, origin = self.origin}
end

-- A batch: rows of a part, gathered when they are asked for (bnn.train never asks: C gathers them).
local Batch = {__name = "bnn.batch"}

function Batch.__index(self, name)
  if name ~= "x" and name ~= "y" then return nil end
  local tensor = self.source[name]
  local value = tensor and core.gather_rows(tensor, self.rows, self.from, self.count)
  rawset(self, name, value)
  return value
end

-- What grad and compile see of a batch that is an argument.
function Batch:__parts() return {x = self.x, y = self.y} end

-- The permutation of epoch e, counted from 1: a function of the key and e alone.
local function epoch_rows(part, key, e)
  return core.permutation(key:fold("data"):fold(e), part.size)
end

--- An iterator over batches, each epoch in a fresh permutation that is a function of key and epoch.
--     for batch in data.train:batches{size = 128, key = key, epochs = 1} do ... batch.x ... end
-- @param opts table: size, key=, epochs= (for ever when left out), drop_last=true (false gives the
--   ragged rest of an epoch as a smaller batch), skip=0 (batches to pass over, to go on with)
-- @return function() -> batch: x real [b, ...] (images / 255) and y [b], and where they come from
function Part:batches(opts)
  opts = options.check("batches", opts, {
    size = {type = "integer", min = 1, required = true},
    key = {type = "key", required = true},
    epochs = {type = "integer", min = 0},
    drop_last = {type = "boolean", default = true},
    skip = {type = "integer", min = 0, default = 0},
  })
  local whole, rest = self.size // opts.size, self.size % opts.size
  local per_epoch = whole + (rest > 0 and not opts.drop_last and 1 or 0)
  if per_epoch == 0 then
    local message = ("batch_size is %d, the data have %d examples"):format(opts.size, self.size)
    require "bnn.experiment".demand(nil, message)
  end
  local i, epoch, rows = opts.skip, 0, nil
  return function()
    local e = i // per_epoch + 1
    if opts.epochs and e > opts.epochs then return nil end
    if e ~= epoch then epoch, rows = e, epoch_rows(self, opts.key, e) end
    local from = (i % per_epoch) * opts.size + 1
    i = i + 1
    local count = math.min(opts.size, self.size - from + 1)
    return setmetatable({source = self, rows = rows, from = from, count = count}, Batch)
  end
end

function Part.__tostring(self)
  return ("data: %d examples, x %s [%s]%s"):format(self.size, self.x:dtype(),
    table.concat(self.x:shape(), ", "), self.y and ", y " .. self.y:dtype() or "")
end

-- ---- IDX folders ----

-- The spellings under which the four files of an IDX set go around.
local function idx_file(dir, prefix, what, rank)
  for _, form in ipairs{"%s/%s-%s-idx%d-ubyte", "%s/%s-%s.idx%d-ubyte"} do
    for _, ending in ipairs{"", ".gz"} do
      local path = form:format(dir, prefix, what, rank) .. ending
      local file = io.open(path, "rb")
      if file then
        file:close()
        return path
      end
    end
  end
end

-- One part of an IDX folder: nil, nil when neither file is there; nil, message when it is broken.
local function read_part(dir, prefix)
  local images, labels = idx_file(dir, prefix, "images", 3), idx_file(dir, prefix, "labels", 1)
  if not images and not labels then return nil end
  if not images or not labels then
    local missing = images and "labels-idx1-ubyte" or "images-idx3-ubyte"
    return nil, ("%s: %s-%s is missing beside %s"):format(dir, prefix, missing, images or labels)
  end
  local x, y = core.idx_read_pair(images, labels)
  if not x then return nil, y end
  return M.part{x = x, y = y, origin = labels}
end

-- The data set of a folder; nil when it holds no IDX file, nil, message when one is broken.
local function read_folder(dir)
  local train, train_fault = read_part(dir, "train")
  if train_fault then return nil, train_fault end
  local test, test_fault = read_part(dir, "t10k")
  if test_fault then return nil, test_fault end
  if not train and not test then return nil end
  return {train = train, test = test, dir = dir}
end

-- Folders in which a set may lie below `dir`: in one of its name, or in `dir` itself.
local function candidates(name, dir)
  dir = dir:gsub("(.)/+$", "%1")
  return name and {dir .. "/" .. name, dir} or {dir}
end

local WANTED = "wanted are train-images-idx3-ubyte, train-labels-idx1-ubyte, "
  .. "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (plain or .gz)"

-- A set that must be in a folder which the user named; name nil: in the folder itself. A third
-- value, true, says that none of its files is there.
local function load_from(name, dir)
  if dir == "" then return nil, "bnn.data.load: the name of the folder is empty" end
  local folders = candidates(name, dir)
  for _, folder in ipairs(folders) do
    local data, fault = read_folder(folder)
    if data or fault then return data, fault end
  end
  local beside = name and (", nor in %s"):format(folders[1]) or ""
  return nil, ("%s: no IDX files there%s; %s"):format(folders[#folders], beside, WANTED), true
end

local NOT_FOUND = "no %s data: looked in $BNNLUA_DATA (%s). Put the four IDX files (train- and "
  .. "t10k- images and labels; sources: see README) into a folder and name it with --data DIR or "
  .. "BNNLUA_DATA=DIR"

--- Loads a data set of IDX files: images u8 [n, 28, 28] and labels i32 [n].
-- @param name string: "mnist" (or another name), or the path of a folder, with a slash or ".";
--   "glyphs", "letters" and "letters-unlike-digits" are drawn by the program
-- @param opts table: dir= a folder that holds the files, or holds them in one called name; it must.
--   Without it $BNNLUA_DATA is searched in the same way.
-- @return {train=, test=, dir=}, either part nil when the folder lacks it; or nil, message
function M.load(name, opts)
  opts = options.check("bnn.data.load", opts, {dir = "string"})
  if type(name) ~= "string" then error("bnn.data.load: a name or a path is wanted", 2) end
  local drawn = not opts.dir and require "bnn.glyphs".load(name)
  if drawn then return drawn end
  local is_path = name == "" or name == "." or name:find "/"
  local env, data, fault, is_absent = os.getenv "BNNLUA_DATA" or "", nil, nil, true
  if opts.dir or is_path then
    data, fault = load_from(not is_path and name or nil, opts.dir or name)
    return data, fault
  end
  if env ~= "" then data, fault, is_absent = load_from(name, env) end
  if not is_absent then return data, fault end
  return nil, NOT_FOUND:format(name, env == "" and "not set" or env)
end

return M
