/* bind_csv_typed.c - tables of numbers and categories in text (csv_typed.h), opened and then read.
 * What users see is bnn.data.table (scripts/bnn/data/table.lua). */
#include "bind_csv_typed.h"

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "tables/csv_typed.h"

static void text_free(void *held) { bnn_csv_text_close(*(bnn_csv_text **)held); }

static size_t text_bytes(const void *held) { return (*(bnn_csv_text *const *)held)->text.room; }

static const bind_class text_class = {
    .name = "bnn.csv_text",
    .noun = "table",
    .size = sizeof(bnn_csv_text *),
    .release = text_free,
    .bytes = text_bytes,
};

static int text_close(lua_State *L) { return bind_release_box(L, &text_class); }

/* The only character of a string at arg; 0 for nil. */
static char check_sign(lua_State *L, int arg) {
  size_t n;
  if (lua_isnoneornil(L, arg)) return 0;
  const char *text = luaL_checklstring(L, arg, &n);
  bind_argcheck(L, n == 1, arg, "expected one character");
  return *text;
}

/* core.csv_open(path, separator or nil, decimal or nil) */
static int core_csv_open(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  const char *path = bind_check_path(L, 1);
  const char separator = check_sign(L, 2), decimal = check_sign(L, 3);
  bnn_csv_text *text = NULL;
  bind_push_box(L, &text_class);
  do {
    const bnn_stop before = bnn_context_watch(bind_context(L));
    status = bnn_stop_end(before, bnn_csv_text_open(&text, path, separator, decimal, &err), &err);
  } while (bind_try_again(L, status, &tries));
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  return bind_fill_box(L, &text_class, &text);
}

static void push_cell(lua_State *L, const bnn_csv_cell *c) {
  lua_pushlstring(L, c->n ? c->p : "", c->n);
}

/* text:first() -> the cells of the first record, whether all of them may be names, the separator,
 * the decimal sign */
static int text_first(lua_State *L) {
  const bnn_csv_text *t = *(bnn_csv_text **)bind_check_box(L, 1, &text_class);
  bool names = true;
  lua_createtable(L, (int)t->columns, 0);
  for (size_t k = 0; k < t->columns; k++) {
    const bnn_csv_cell *c = &bnn_csv_cells(&t->first)[k];
    names = names && (bnn_csv_is_name(c) || c->n == 0);
    push_cell(L, c);
    lua_rawseti(L, -2, (lua_Integer)k + 1);
  }
  lua_pushboolean(L, names);
  lua_pushlstring(L, &t->in.separator, 1);
  lua_pushlstring(L, &t->in.decimal, 1);
  return 4;
}

/* ---- options ---- */

static bnn_csv_kind check_kind(lua_State *L) {
  static const char *const kinds[] = {"", "number", "category", "ignore", NULL};
  return (bnn_csv_kind)luaL_checkoption(L, -1, "", kinds);
}

/* The lists at 3, kinds, and 4, categories, each with a place for a column or none; what they hold
 * stands as long as the stack does. */
static const bnn_csv_wanted *check_wanted(lua_State *L, size_t columns) {
  luaL_checktype(L, 3, LUA_TTABLE);
  luaL_checktype(L, 4, LUA_TTABLE);
  bnn_csv_wanted *wanted = lua_newuserdatauv(L, columns * sizeof *wanted + 1, 0);
  for (size_t k = 0; k < columns; k++) {
    wanted[k] = (bnn_csv_wanted){.category = NULL};
    lua_rawgeti(L, 3, (lua_Integer)k + 1);
    if (!lua_isnil(L, -1)) wanted[k].kind = check_kind(L);
    lua_pop(L, 1);
    luaL_checkstack(L, 3, "too many columns with categories");
    if (lua_rawgeti(L, 4, (lua_Integer)k + 1) == LUA_TNIL) {
      lua_pop(L, 1);
      continue;
    }
    wanted[k].category = bind_check_strings(L, -1, 4, "categories", &wanted[k].categories);
  }
  return wanted;
}

static bnn_csv_header check_header(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) return BNN_CSV_SEE_HEADER;
  return lua_toboolean(L, arg) ? BNN_CSV_HEADER : BNN_CSV_NO_HEADER;
}

/* ---- results ---- */

static void push_integer(lua_State *L, const char *name, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

static void push_categories(lua_State *L, const bnn_csv_typed_column *c) {
  lua_createtable(L, (int)c->categories, 0);
  for (size_t i = 0; i < c->categories; i++) {
    lua_pushstring(L, c->category[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "categories");
}

static void push_column(lua_State *L, bnn_csv_typed_column *c) {
  lua_createtable(L, 0, 10);
  push_integer(L, "numbers", c->numbers);
  push_integer(L, "texts", c->texts);
  push_integer(L, "text_line", c->text_line);
  lua_pushstring(L, c->text.s);
  lua_setfield(L, -2, "text");
  push_integer(L, "rounded", c->rounded);
  push_integer(L, "rounded_line", c->rounded_line);
  lua_pushstring(L, c->rounded_text.s);
  lua_setfield(L, -2, "rounded_text");
  lua_pushnumber(L, c->rounded_to);
  lua_setfield(L, -2, "rounded_to");
  lua_pushstring(L, c->kind == BNN_CSV_NUMBERS ? "number" : "category");
  lua_setfield(L, -2, "kind");
  if (c->kind == BNN_CSV_CATEGORY) push_categories(L, c);
  bind_push_tensor(L);
  bnn_tensor *values = c->values;
  c->values = NULL;
  bind_fill_tensor(L, -1, values);
  lua_setfield(L, -2, "values");
}

static int push_table(lua_State *L, bnn_csv_typed *t) {
  lua_createtable(L, (int)t->columns, 3);
  for (size_t k = 0; k < t->columns; k++) {
    if (t->column[k].kind == BNN_CSV_IGNORED)
      lua_pushboolean(L, false);
    else
      push_column(L, &t->column[k]);
    lua_rawseti(L, -2, (lua_Integer)k + 1);
  }
  push_integer(L, "rows", t->rows);
  lua_pushboolean(L, t->header);
  lua_setfield(L, -2, "header");
  return 1;
}

static void free_typed(void *t) { bnn_csv_typed_free(t); }

/* text:read(header or nil, kinds, categories, missing) */
static int text_read(lua_State *L) {
  bnn_err err;
  bnn_csv_text *text = *(bnn_csv_text **)bind_check_box(L, 1, &text_class);
  bnn_csv_typed_options o = {.header = check_header(L, 2)};
  lua_settop(L, 5);
  o.missing = bind_check_strings(L, 5, 5, "missing", &o.n_missing);
  o.column = check_wanted(L, text->columns);
  void **held = bind_push_holder(L, free_typed);
  bnn_csv_typed *t = NULL;
  const bnn_stop before = bnn_context_watch(bind_context(L));
  bnn_status status = bnn_stop_end(before, bnn_csv_typed_read(&t, text, &o, &err), &err);
  *held = t;
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  push_table(L, t);
  bind_empty_holder(held);
  return 1;
}

static const luaL_Reg methods[] = {
    {"first", text_first}, {"read", text_read}, {"close", text_close}, {NULL, NULL}};

static const bind_row rows[] = {
    {"csv_open", core_csv_open,
     "csv_open(path, separator, decimal): opens a text table of numbers and categories; nil: found\n"
     "Returns an object with first(), read(header, kinds, categories, missing) and close(); or nil,\n"
     "message."},
    {NULL, NULL, NULL},
};

void bind_open_csv_typed(lua_State *L) {
  bind_new_box_class(L, &text_class, methods, text_close);
  bind_register(L, "bnn.core.", rows);
}
