local lu = require "luaunit"
local bnn = require "bnn"
local shapes = require "bnn.base.shapes"

TestShapes = {}

function TestShapes.test_text_shows_a_tensor_or_a_list_of_sizes()
  lu.assertEquals(shapes.text(bnn.zeros{128, 784}), "[128, 784]")
  lu.assertEquals(shapes.text{5}, "[5]")
  lu.assertEquals(shapes.text{}, "[]")
  lu.assertEquals(shapes.text(bnn.zeros{}), "[]")
end

function TestShapes.test_text_from_the_second_axis_is_the_shape_of_a_row()
  lu.assertEquals(shapes.text(bnn.zeros{9, 28, 28}, 2), "[28, 28]")
  lu.assertEquals(shapes.text({9}, 2), "[]")
end

function TestShapes.test_equal_compares_every_size_and_the_number_of_them()
  lu.assertTrue(shapes.equal(bnn.zeros{2, 3}, {2, 3}))
  lu.assertTrue(shapes.equal({}, {}))
  lu.assertFalse(shapes.equal(bnn.zeros{2, 3}, bnn.zeros{3, 2}))
  lu.assertFalse(shapes.equal({2, 3}, {2}))
  lu.assertFalse(shapes.equal({2}, {2, 3}))
end

os.exit(lu.LuaUnit.run())
