/* bind_glyphs.c - the generated digits and letters. */
#include "bind_glyphs.h"

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "images/glyphs.h"

/* The name of each set, in the order of bnn_glyph_set. */
static const char *const sets[] = {"digits", "letters", "unlike", NULL};

static int core_glyphs(lua_State *L) {
  bnn_err err;
  bnn_glyph_set set = (bnn_glyph_set)luaL_checkoption(L, 1, NULL, sets);
  bnn_key key = bind_check_key(L, 2);
  lua_Integer from = bind_check_range(L, 3, "from", 1, LUA_MAXINTEGER);
  size_t n = (size_t)bind_check_range(L, 4, "n", 0, INT32_MAX);
  const size_t dim[] = {n, BNN_GLYPH_SIDE, BNN_GLYPH_SIDE};
  bnn_tensor *x = bind_push_new(L, BNN_U8, 3, dim), *y = bind_push_new(L, BNN_I32, 1, dim);
  bind_check(
      L, bnn_glyphs_fill(bind_context(L), x->data, y->data, set, key, (uint64_t)from - 1, n, &err),
      &err);
  return 2;
}

static int core_glyph_names(lua_State *L) {
  bnn_glyph_set set = (bnn_glyph_set)luaL_checkoption(L, 1, NULL, sets);
  int n = bnn_glyph_classes(set);
  lua_createtable(L, n, 0);
  for (int label = 0; label < n; label++) {
    lua_pushfstring(L, "%c", bnn_glyph_name(set, label));
    lua_rawseti(L, -2, label + 1);
  }
  return 1;
}

static int core_glyph_look_alikes(lua_State *L) {
  lua_newtable(L);
  for (int label = 0; label < bnn_glyph_classes(BNN_GLYPH_LETTERS); label++) {
    char letter = bnn_glyph_name(BNN_GLYPH_LETTERS, label);
    if (bnn_glyph_look_alike(letter) < 0) continue;
    lua_pushfstring(L, "%c", letter);
    lua_pushinteger(L, bnn_glyph_look_alike(letter));
    lua_rawset(L, -3);
  }
  return 1;
}

static const bind_row rows[] = {
    {"glyphs", core_glyphs,
     "glyphs(set, key, from, n): images u8 [n, 28, 28] and labels i32 [n] that the program draws\n"
     "Elements from, from + 1, ... (counted from 1) of an endless set: \"digits\" (labels 0..9), "
     "\"letters\" (0..25 for A..Z), or \"unlike\", the letters without those that look like a digit. "
     "Each is a function of set, key and its place alone."},
    {"glyph_names", core_glyph_names,
     "glyph_names(set): the characters that the labels 0, 1, ... of a set stand for, as a list from 1"},
    {"glyph_look_alikes", core_glyph_look_alikes,
     "glyph_look_alikes(): {B = 8, ...}: the letters that can be taken for a digit, and which"},
    {NULL, NULL, NULL},
};

void bind_open_glyphs(lua_State *L) { bind_register(L, "bnn.core.", rows); }
