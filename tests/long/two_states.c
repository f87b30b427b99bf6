/* two_states.c - two_states CPATH WANT - two Lua states of one process that share bnn.so, for
 * lua_module_test.sh: the program's sum, WANT, in each; one is closed and opened again while the other
 * lives; a signal reaches the state that runs under signal.guard. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lua_State *open_state(const char *cpath) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_pushstring(L, cpath);
  lua_setfield(L, -2, "cpath");
  lua_pop(L, 1);
  return L;
}

/* Runs text that returns a string; ends the program where it is not the wanted one. */
static void expect(lua_State *L, const char *text, const char *want) {
  const int status = luaL_dostring(L, text);
  const char *got = luaL_tolstring(L, -1, NULL);
  if (status != LUA_OK || strcmp(got, want) != 0) {
    printf("%s\n  gave %s, wanted %s\n", text, got, want);
    exit(EXIT_FAILURE);
  }
  lua_settop(L, 0);
}

static const char draws[] = "local bnn = require 'bnn' local x = bnn.randn(bnn.key(1), 300, 300) "
                            "return ('%.4f'):format(x:mm(x):sum():item())";

static const char stops[] = "local signal = require 'bnn.signal' "
                            "local ok, e = pcall(signal.guard, function() "
                            "  io.popen('kill -INT $PPID'):close() for i = 1, 1e9 do end end) "
                            "return tostring(ok) .. ' ' .. tostring(signal.is_interrupt(e))";

int main(int argc, char **argv) {
  if (argc != 3) return EXIT_FAILURE;
  const char *cpath = argv[1], *want = argv[2];
  lua_State *a = open_state(cpath), *b = open_state(cpath);
  expect(a, draws, want);
  expect(b, draws, want);
  expect(a, "bnn = require 'bnn' bnn.threads(2) return tostring(bnn.threads())", "2");
  expect(b, "bnn = require 'bnn' bnn.threads(1) return tostring(bnn.threads())", "1");
  expect(a, "return tostring(bnn.threads())", "2");
  lua_close(b);
  expect(a, draws, want);
  expect(a, stops, "false true");
  b = open_state(cpath);
  expect(b, draws, want);
  expect(a, stops, "false true");
  expect(b, stops, "false true");
  expect(a, draws, want);
  lua_close(a);
  expect(b, draws, want);
  expect(b, stops, "false true");
  lua_close(b);
  puts("ok");
  return EXIT_SUCCESS;
}
