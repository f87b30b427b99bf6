--- Images of classes: a folder of images for each class.
local character_image = require "bnn.data.character_image"
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local formats = require "bnn.data.formats.formats"
local options = require "bnn.base.options"
local parts = require "bnn.data.part"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local malformed = strings.malformed

--- Names in a folder, sorted by their bytes; hidden ones left out.
-- @param kind "file" or "folder"
-- @param pattern string: that a name in small letters fits
-- @return list; or nil, message
function M.names_in(path, kind, pattern)
  local entries, fault = core.list_dir(path)
  if not entries then return nil, fault end
  local names = {}
  for name, is in pairs(entries) do
    local fits = is == kind and not name:find "^%." and strings.lower(name):find(pattern)
    if fits then names[#names + 1] = name end
  end
  table.sort(names, strings.before)
  return names
end

-- One image of a folder: u8 [1, h, w] or [1, 3, h, w].
local function read_example(path, opts)
  if opts.character then
    local x, fault = character_image.image(path, {ink = opts.ink})
    return x and x:view(1, 28, 28), fault
  end
  local x, fault = formats.read_image(path, opts.channels == 3 and "rgb" or "grey")
  if not x then return nil, fault end
  if opts.channels == 3 then x = x:permute(3, 1, 2):contiguous() end
  return x:view(1, table.unpack(x:shape()))
end

-- Tensors [1, ...] joined along their first axis, 32 at a time: so many concat takes.
local function join(list)
  while #list > 1 do
    local joined = {}
    for i = 1, #list, 32 do
      joined[#joined + 1] = core.concat(table.move(list, i, math.min(i + 31, #list), 1, {}), 1)
    end
    list = joined
  end
  return list[1]
end

-- The names of a folder's images, sorted; or nil, message.
local function image_files(dir)
  local files, fault = M.names_in(dir, "file", "")
  if not files then return nil, fault end
  local images = {}
  for _, name in ipairs(files) do
    if formats.is_image_name(name) then images[#images + 1] = name end
  end
  return images
end

-- ".png": what an image's name ends in.
local function image_words()
  return formats.words("or", function(row) return row.read_image end)
end

-- Adds a class's images to lists x and y; true, or nil, message.
local function add_class(x, y, dir, label, opts)
  local files, fault = image_files(dir)
  if not files then return nil, fault end
  if #files == 0 then return malformed(dir, "holds no images; expected %s", image_words()) end
  for _, file in ipairs(files) do
    local path = dir .. "/" .. file
    local image, message = read_example(path, opts)
    if not image then return nil, message end
    if x[1] and not shapes.equal(image, x[1]) then
      local advice = "character = true fits all to 28 x 28"
      return malformed(path, "expected %s, the shape of the images before it, got %s; %s",
        shapes.text(x[1][1]), shapes.text(image[1]), advice)
    end
    x[#x + 1], y[#y + 1] = image, label
  end
  return true
end

--- The options of M.read.
M.spec = {
  channels = {type = "integer", default = 1, choices = {1, 3}},
  character = {type = "boolean", default = false},
  ink = {type = "string", default = "auto", choices = {"auto", "dark", "light"}},
  classes = {type = "string", list = true}, like = "table",
}

-- The names of the classes in their order, and those that have a folder; or nil, message.
local function classes_of(path, known)
  local found, fault = M.names_in(path, "folder", "")
  if not found then return nil, fault end
  if #found == 0 then
    return malformed(path, "holds no folders; expected one for each class, with images in it")
  end
  if not known then return found, found end
  local numbers = classes.numbers(known)
  for _, name in ipairs(found) do
    if not numbers[name] then
      return malformed(path .. "/" .. name, "class '%s' is not one of the %d known: %s", name,
        #known, classes.words(known))
    end
  end
  return known, found
end

--- A folder as a part; bnn.data.folder documents it.
-- @param what string: the function, for messages
function M.read(what, path, opts)
  opts = options.check(what, opts, M.spec)
  path = path:gsub("(.)/+$", "%1")
  local known, like = classes.given(what, opts)
  if like and not known then
    return malformed(path, "the part given as like has no classes; name them in classes = {...}")
  end
  local names, found = classes_of(path, known)
  if not names then return nil, found end
  local x, y, numbers = {}, {}, classes.numbers(names)
  for _, class in ipairs(found) do
    local ok, message = add_class(x, y, path .. "/" .. class, numbers[class], opts)
    if not ok then return nil, message end
  end
  return parts.from_tensors{
    x = join(x), y = core.tensor(y, "i32"), classes = names, origin = path,
  }
end

--- Reads a folder that has a folder of images for each class, as a part.
--   letters/A/1.png  letters/A/2.png  letters/B/1.png
--     local part = bnn.data.folder "letters"            -- part.classes is {"A", "B"}
-- @param path string
-- @param opts table: channels=1 (3: colour), character=false (true: prepares each image by
--   bnn.data.image), ink="auto"; classes={name, ...} or like= (a part, a data set, a model): the
--   classes and their numbers, some of which have a folder; another folder is an error
-- @return part: x u8 [n, h, w] or [n, 3, h, w], y i32 [n], classes = the folders' names, sorted, or
--   those given; or nil, message
function M.folder(path, opts)
  return M.read("bnn.data.folder", expect.string("bnn.data.folder: path", path, "a path"), opts)
end

return M
