/* bind_key.c - keys in Lua: randomness as a value.  A key may be a tracer too, a key that a
 * recorded program gets as an input; folding and splitting it are then recorded. */
#include "bind_key.h"

#include <stdio.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "bind_argument.h"
#include "bind_tracer.h"

static bind_key *push_box(lua_State *L) {
  bind_key *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (bind_key){.node = -1};
  luaL_setmetatable(L, BIND_KEY);
  return box;
}

void bind_push_key(lua_State *L, bnn_key key) { push_box(L)->key = key; }

void bind_push_key_tracer(lua_State *L, int program_index, int node) {
  program_index = lua_absindex(L, program_index);
  const bind_recording *p = lua_touserdata(L, program_index);
  bind_key *box = push_box(L);
  lua_pushvalue(L, program_index);
  lua_setiuservalue(L, -2, 1);
  box->program = p->program;
  box->node = node;
}

bind_key *bind_test_key(lua_State *L, int arg) { return luaL_testudata(L, arg, BIND_KEY); }

bnn_key bind_check_key(lua_State *L, int arg) {
  bind_key *box = luaL_checkudata(L, arg, BIND_KEY);
  if (box->program) {
    bind_push_recording(L, arg);
    bind_fail_reading(
        L, "a draw",
        "bnn.randn_like(x, key), bnn.rand_like(x, key) and dropout draw inside; other "
        "draws are made before and passed as an argument");
  }
  return box->key;
}

/* Pushes the key that is mixed from argument 1, or a tracer of it. */
static int push_mixed(lua_State *L, uint64_t value, uint32_t domain) {
  bind_key *box = luaL_checkudata(L, 1, BIND_KEY);
  if (!box->program) {
    bind_push_key(L, bnn_key_mix(box->key, value, domain));
    return 1;
  }
  bnn_attr attr = {.fold = value, .domain = domain};
  bind_push_recording(L, 1);
  bind_push_key_tracer(L, -1, bind_record_nodes(L, -1, BNN_OP_key_fold, &box->node, 1, &attr));
  lua_remove(L, -2);
  return 1;
}

static int key_fold(lua_State *L) {
  int isint;
  size_t length;
  luaL_checkudata(L, 1, BIND_KEY);
  if (lua_type(L, 2) == LUA_TSTRING) { /* also "1", which is another key than 1 */
    const char *name = lua_tolstring(L, 2, &length);
    return push_mixed(L, bnn_name_hash(name, length), BNN_KEY_NAME);
  }
  if (lua_type(L, 2) != LUA_TNUMBER) bind_typeerror(L, 2, "integer or string");
  lua_Integer number = lua_tointegerx(L, 2, &isint);
  if (!isint) bind_argerror(L, 2, "expected an integer or a string, got %s", bind_push_text(L, 2));
  return push_mixed(L, (uint64_t)number, BNN_KEY_NUMBER);
}

static int key_split(lua_State *L) {
  luaL_checkudata(L, 1, BIND_KEY);
  int n = (int)bind_check_range(L, 2, "n", 1, 1 << 24);
  lua_createtable(L, n, 0);
  for (int i = 1; i <= n; i++) {
    push_mixed(L, (uint64_t)i, BNN_KEY_SPLIT);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

static int key_bits(lua_State *L) {
  bind_key *box = luaL_checkudata(L, 1, BIND_KEY);
  if (box->program) {
    bind_push_recording(L, 1);
    bind_fail_reading(L, "'bits'", "key:fold and key:split work inside");
  }
  lua_pushinteger(L, (lua_Integer)box->key.bits);
  return 1;
}

/* Lua calls this for any two values of which one is a key. */
static int key_equal(lua_State *L) {
  bind_key *a = bind_test_key(L, 1), *b = bind_test_key(L, 2);
  if ((a && a->program) || (b && b->program))
    return bind_fail_reading(L, "'=='", "compare keys before, outside of what is recorded");
  lua_pushboolean(L, a && b && a->key.bits == b->key.bits);
  return 1;
}

static int key_print(lua_State *L) {
  char text[32];
  bind_key *box = luaL_checkudata(L, 1, BIND_KEY);
  snprintf(text, sizeof text, "key %016llx", (unsigned long long)box->key.bits);
  lua_pushstring(L, box->program ? "key, being recorded" : text);
  return 1;
}

static int core_key(lua_State *L) {
  bind_push_key(L, bnn_key_new((uint64_t)luaL_checkinteger(L, 1)));
  return 1;
}

static int core_key_of_bits(lua_State *L) {
  bind_push_key(L, (bnn_key){.bits = (uint64_t)luaL_checkinteger(L, 1)});
  return 1;
}

static const luaL_Reg meta[] = {{"__eq", key_equal}, {"__tostring", key_print}, {NULL, NULL}};

static const bind_row methods[] = {
    {"fold", key_fold,
     "key:fold(number), key:fold(name): derives the key of a step, a sample or a purpose\n"
     "The keys fold(1) and fold(\"1\") differ; fold(3.0) equals fold(3). Raises for a fraction\n"
     "such as 3.5.\n"
     "    local key = bnn.key(42)\n"
     "    bnn.randn(key:fold \"init\", 2, 3) --> [2, 3]\n"
     "    local of_step = key:fold(7):fold \"eps\" -- another key"},
    {"split", key_split,
     "key:split(n): a list of n keys, none of them equal to a fold of this key\n"
     "    local a, b = table.unpack(bnn.key(1):split(2)) -- two keys"},
    {"bits", key_bits,
     "key:bits(): the key's 64 bits as an integer\n"
     "    local k = bnn.key(1):bits() -- an integer, always the same"},
    {NULL, NULL, NULL},
};

static const bind_row rows[] = {
    {"key", core_key,
     "key(seed): the root key of a seed, which is any 64-bit integer\n"
     "Numbers are drawn by Philox4x32-10 (Salmon et al. 2011)\n"
     "A draw depends on its key only: the same key gives the same numbers, whatever was drawn\n"
     "before.\n"
     "    local key = bnn.key(42)\n"
     "    bnn.rand(key, 3) --> [3]"},
    {NULL, NULL, NULL},
};

static const bind_row core_rows[] = {
    {"key_of_bits", core_key_of_bits,
     "key_of_bits(bits): the key whose key:bits() gave that integer"},
    {NULL, NULL, NULL},
};

void bind_open_key(lua_State *L) {
  bind_new_class(L, BIND_KEY, "key:", meta, methods);
  lua_pop(L, 1);
  bind_register(L, "bnn.", rows);
  bind_register(L, "bnn.core.", core_rows);
}
