--- The data sets that are known by name: a row each.
--
-- A row that is downloaded has `files`, {name, bytes, sha256} of the payload (what gzip holds: the
-- same whatever compressed it), and `mirrors`, base URLs that are tried in turn; plain http will do
-- since the hash is checked. A row that the program makes itself has `generate`, a function of its
-- name that gives {train=, test=}.
local glyphs = require "bnn.data.glyphs"
local nearest = require "bnn.base.nearest"

local M = {}

local function four_files(train_images, train_labels, test_images, test_labels)
  return {
    {"train-images-idx3-ubyte.gz", 47040016, train_images},
    {"train-labels-idx1-ubyte.gz", 60008, train_labels},
    {"t10k-images-idx3-ubyte.gz", 7840016, test_images},
    {"t10k-labels-idx1-ubyte.gz", 10008, test_labels},
  }
end

--- The rows, in the order to list them.
M.rows = {
  {
    name = "mnist", title = "MNIST", about = "handwritten digits, 60,000 + 10,000",
    files = four_files(
      "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
      "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
      "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
      "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    mirrors = {
      "https://ossci-datasets.s3.amazonaws.com/mnist",
      "https://storage.googleapis.com/cvdf-datasets/mnist",
    },
  },
  {
    name = "fashion-mnist", title = "Fashion-MNIST", about = "clothes, 60,000 + 10,000",
    files = four_files(
      "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
      "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
      "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
      "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    mirrors = {
      "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
      "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
    },
  },
  {
    name = "notmnist", title = "notMNIST", about = "letters A-J in many typefaces, 10,000",
    files = {
      {"t10k-images-idx3-ubyte.gz", 7840016,
       "8e7f38ae95cc8f48e0986175ffc9137e5007ebcf3d8fdf6656c904eb9dab198b"},
      {"t10k-labels-idx1-ubyte.gz", 10008,
       "5f8e6012f2ce730700d8d05fca098bc47f71d25b890e4bec7ac5ebfd614a4001"},
    },
    mirrors = {
      "https://github.com/davidflanagan/notMNIST-to-MNIST/raw/master",
      "https://raw.githubusercontent.com/davidflanagan/notMNIST-to-MNIST/master",
    },
  },
  {
    name = "glyphs", title = "glyphs", about = "digits that the program draws",
    generate = glyphs.load,
  },
  {name = "letters", title = "letters", about = "A to Z by the same hands", generate = glyphs.load},
  {
    name = "letters-unlike-digits", title = "letters unlike digits",
    about = "those that cannot be taken for a digit", generate = glyphs.load,
  },
}

--- The names of all rows, in their order.
function M.names()
  local names = {}
  for i, row in ipairs(M.rows) do names[i] = row.name end
  return names
end

--- The row of a name, or nil.
function M.find(name)
  for _, row in ipairs(M.rows) do
    if row.name == name then return row end
  end
end

--- The message for an unknown name: "no data set or folder 'minst': did you mean 'mnist'? ...".
function M.unknown(name)
  local names = M.names()
  local near = nearest.find(name, names)
  local hint = near and ("did you mean '%s'? "):format(near) or ""
  local known = table.concat(names, ", ")
  return ("no data set or folder '%s': %sknown are %s"):format(name, hint, known)
end

return M
