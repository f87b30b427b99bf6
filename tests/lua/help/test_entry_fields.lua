--- The parts of documentation entries: calls, parameters with their options, examples, sources.
local lu = require "luaunit"
local bnn = require "bnn"
local entry_fields = require "bnn.help.entry_fields"
local help = require "bnn.help.help"

local function of(name)
  for _, entry in ipairs(help.entries(bnn)) do
    if entry.name == name then return entry_fields.read(entry) end
  end
  error("no entry " .. name)
end

local function read(doc, call)
  return entry_fields.read{name = "bnn.f", call = call, field = call and "f", doc = doc}
end

local function names(list)
  local found = {}
  for i, item in ipairs(list) do found[i] = item.name end
  return table.concat(found, " ")
end

TestFields = {}

function TestFields.test_the_parts_of_a_text_are_told_apart()
  local fields = read([[
Adds numbers (Euler 1748), as in Blundell et al. 2015. Raises for a
string.
    bnn.f(1, 2)   -- 3
  a  the first
  b  the second
More.
@param a, b number: what is added
@param opts table: key=, required; scale=1, a factor; how={n=100, level=0.95}
@return number; or nil, message
Raises if they differ.]], "bnn.f(a, b, opts)")
  lu.assertEquals(fields.calls, {"bnn.f(a, b, opts)"})
  lu.assertEquals(fields.summary, "Adds numbers (Euler 1748), as in Blundell et al. 2015")
  local kinds = {}
  for i, block in ipairs(fields.blocks) do kinds[i] = block.kind end
  lu.assertEquals(kinds, {"text", "code", "rows", "text"})
  lu.assertEquals(fields.blocks[3].rows, {{"a", "the first"}, {"b", "the second"}})
  lu.assertEquals(fields.examples, {"bnn.f(1, 2)   -- 3"})
  lu.assertEquals(names(fields.params), "a b opts")
  lu.assertEquals(fields.params[2].text, "number: what is added")
  lu.assertEquals(fields.params[3].options, {
    {name = "key", text = "required"}, {name = "scale", default = "1", text = "a factor"},
    {name = "how", text = "", options = {{name = "n", default = "100", text = ""},
                                         {name = "level", default = "0.95", text = ""}}},
  })
  lu.assertEquals(fields.returns[1].text, "number; or nil, message")
  lu.assertEquals(fields.notes, {{kind = "text", text = "Raises if they differ."}})
  lu.assertEquals(fields.errors, {"Raises for a string.", "number; or nil, message",
                                  "Raises if they differ."})
  lu.assertEquals(#fields.sources, 1)
  lu.assertStrContains(fields.sources[1], "Blundell")
end

function TestFields.test_rows_of_options_have_names_defaults_and_rows_of_their_own()
  local fields = read([==[
Trains.
@param opts table:
  steps        number of steps
  lr, beta=1   numbers
  num_samples_ how many: a name as wide as
               the column
  checkpoint   table, or a string:
    path, every=1000, keep=3   a folder,
                               and more
    monitor="test/accuracy"    a metric
  last         number
@return table of tensors:
  mean, std    [n]
  probability, class_std [n], of that class]==], "bnn.f(opts)")
  local options = fields.params[1].options
  lu.assertEquals(names(options), "steps lr beta num_samples_ checkpoint last")
  lu.assertEquals(options[2].text, "numbers")
  lu.assertEquals(options[3], {name = "beta", default = "1", text = "numbers"})
  lu.assertEquals(options[4].text, "how many: a name as wide as the column")
  lu.assertEquals(names(options[5].options), "path every keep monitor")
  lu.assertEquals(options[5].options[2].text, "a folder, and more")
  lu.assertEquals(options[5].options[4].default, '"test/accuracy"')
  lu.assertEquals(names(fields.returns[1].options), "mean std probability class_std")
end

function TestFields.test_texts_of_c_open_with_their_calls()
  local zeros = of "bnn.zeros"
  lu.assertEquals(zeros.calls, {"bnn.zeros(n, m, ... [, dtype])",
                                "bnn.zeros({n, m, ...} [, dtype])"})
  lu.assertEquals(zeros.blocks[1].text, "a tensor filled with 0")
  lu.assertEquals(#zeros.examples, 1)
  lu.assertEquals(of "x:concat".calls, {"bnn.concat(tensors, axis = 1)"})
  lu.assertEquals(of "tensor:shape".calls, {"x:shape()"})
  lu.assertStrContains(of "bnn.permutation".blocks[1].text, "as i32")
end

function TestFields.test_parameters_of_a_call_in_braces_are_options()
  local adam = of "bnn.optim.adam"
  lu.assertEquals(names(adam.params), "opts")
  lu.assertStrContains(names(adam.params[1].options), "lr b1 b2 eps")
  lu.assertEquals(adam.params[1].options[1].default, "1e-3")
  lu.assertStrContains(adam.sources[1], "Kingma")
end

function TestFields.test_the_options_of_training_are_all_there()
  local train = of "bnn.train"
  lu.assertEquals(train.calls, {"bnn.train(opts)"})
  local found = names(train.params[1].options)
  for name in ("objective optimizer data steps batch_size key beta lr state collect log log_every "
    .. "evaluate on_step progress stop checkpoint"):gmatch "%S+" do
    lu.assertStrContains(found, name)
  end
end

os.exit(lu.LuaUnit.run())
