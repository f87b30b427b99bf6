local lu = require "luaunit"
local lru_cache = require "bnn.base.lru_cache"

TestLruCache = {}

function TestLruCache.test_the_least_recently_used_value_goes()
  local cache = lru_cache.new(2)
  lu.assertNil(cache:get "a")
  lu.assertEquals(cache:put("a", 1), 1)
  cache:put("b", 2)
  lu.assertEquals(cache:get "a", 1)
  cache:put("c", 3)
  lu.assertNil(cache:get "b")
  lu.assertEquals(cache.size, 2)
  lu.assertItemsEquals(cache:values(), {1, 3})
end

function TestLruCache.test_a_key_has_one_value()
  local cache = lru_cache.new(2)
  cache:put("a", 1)
  cache:put("b", 2)
  cache:put("a", 3)
  lu.assertEquals({cache:get "a", cache:get "b", cache.size}, {3, 2, 2})
end

function TestLruCache.test_what_is_evicted_is_closed()
  local closed = {}
  local function value(name)
    return setmetatable({}, {__close = function() closed[#closed + 1] = name end})
  end
  local cache = lru_cache.new(1)
  cache:put("a", value "a")
  cache:put("b", value "b")
  lu.assertEquals(closed, {"a"})
end

os.exit(lu.LuaUnit.run())
