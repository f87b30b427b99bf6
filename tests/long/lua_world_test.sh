#!/usr/bin/env bash
# lua_world_test.sh - what others wrote for Lua 5.4 runs under bnnlua: Debian's C modules (lpeg, cjson,
# lfs, luasql), and suites of busted and luaunit that use the library.
#
# Needs lua-lpeg, lua-cjson, lua-filesystem, lua-sql-sqlite3, lua-busted and lua-unit; the part of
# what lacks is skipped with a word.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_SCRIPTS
cd "$T" || exit 1

# under_bnnlua MODULE WANT CODE: what CODE prints where the module is there
under_bnnlua() {
  if ! "$bnnlua" -e "require '$1'" 2>/dev/null; then
    # One that lua5.4 loads must load here as well.
    if lua5.4 -e "require '$1'" 2>/dev/null; then fail "$1 does not load"; fi
    echo "there is no $1 here: skipped"
    return
  fi
  equal "$1" "$2" "$("$bnnlua" -e "bnn = require 'bnn' $3" 2>&1 | tr '\t' ' ')"
}

under_bnnlua lpeg "0.5,-1.25 true" '
  local lpeg = require "lpeg"
  local number = lpeg.C(lpeg.S "+-" ^ -1 * lpeg.R "09" ^ 1 * (lpeg.P "." * lpeg.R "09" ^ 1) ^ -1) / tonumber
  local list = lpeg.Ct(number * ("," * number) ^ 0)
  local x = bnn.tensor(list:match "0.5,-1.25")
  print(table.concat(x:totable(), ","), x:sum():item() == -0.75)'
under_bnnlua cjson '[0.5,1.5] 3' '
  local cjson = require "cjson"
  print(cjson.encode(bnn.tensor{0.5, 1.5}:totable()), bnn.tensor(cjson.decode "[1,2]"):sum():item() // 1 | 0)'
under_bnnlua lfs "directory true" '
  local lfs = require "lfs"
  lfs.mkdir "here"
  local before = lfs.currentdir()
  lfs.chdir "here"
  print(lfs.attributes(before, "mode"), require "bnn.core".working_folder() == before .. "/here")'
under_bnnlua luasql.sqlite3 "2 rows, mean 2.5" '
  local environment = require "luasql.sqlite3".sqlite3()
  local db = assert(environment:connect "numbers.db")
  assert(db:execute "create table t (x real)")
  for _, x in ipairs(bnn.tensor{1, 4}:totable()) do assert(db:execute("insert into t values (" .. x .. ")")) end
  local cursor, all = assert(db:execute "select x from t"), {}
  for x in function() return cursor:fetch() end do all[#all + 1] = tonumber(x) end
  print(("%d rows, mean %g"):format(#all, bnn.tensor(all):mean():item()))
  db:close() environment:close()'

# ---------------------------------------------------------------- luaunit
cat >unit.lua <<'END'
local lu = require "luaunit"
local bnn = require "bnn"
function test_a_gradient() -- luacheck: ignore
  local gradient = bnn.grad(function(x) return (x ^ 2):sum() end)(bnn.tensor{1, 2})
  lu.assertAlmostEquals(gradient:totable(), {2, 4}, 1e-6)
end
function test_a_refusal() -- luacheck: ignore
  lu.assertErrorMsgContains("bnn.tensor", bnn.tensor, {{1}, {1, 2}})
end
os.exit(lu.LuaUnit.run())
END
if "$bnnlua" -e 'require "luaunit"' 2>/dev/null; then
  "$bnnlua" unit.lua >out 2>&1
  equal "luaunit: status" 0 $?
  has "luaunit: two tests" "Ran 2 tests" "$(cat out)"
  sed 's/{2, 4}/{2, 5}/' unit.lua >broken.lua
  "$bnnlua" broken.lua >out 2>&1
  equal "luaunit: a failure is its status" 1 $?
else
  echo "there is no luaunit here: skipped"
fi

# ---------------------------------------------------------------- busted
if command -v busted >/dev/null && "$bnnlua" -e 'require "busted"' 2>/dev/null; then
  mkdir spec
  cat >spec/posterior_spec.lua <<'END'
local bnn = require "bnn"
describe("a posterior", function()
  local net = bnn.nn.mlp{4, 2}
  local posterior
  before_each(function()
    posterior = bnn.posterior.meanfield(net:init(bnn.key(1), bnn.ones(1, 3)), {logvar = -7})
  end)
  it("draws the same network for the same key", function()
    local a, b = posterior:sample(bnn.key(2)), posterior:sample(bnn.key(2))
    assert.are.same(net:apply(a, bnn.ones(1, 3)):totable(), net:apply(b, bnn.ones(1, 3)):totable())
  end)
  it("refuses what is no key", function()
    assert.has_error(function() posterior:sample "key" end)
  end)
end)
END
  for way in "busted --lua=$bnnlua spec" "$bnnlua $(command -v busted) spec"; do
    $way >out 2>&1
    equal "$way: status" 0 $?
    has "$way" "2 successes / 0 failures / 0 errors / 0 pending" "$(cat out)"
  done
  sed -i 's/bnn.key(2)), post/bnn.key(3)), post/' spec/posterior_spec.lua
  busted "--lua=$bnnlua" spec >out 2>&1
  equal "busted: a failure is its status" 1 $?
  has "busted: a failure" "1 success / 1 failure" "$(cat out)"
else
  echo "there is no busted here: skipped"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
