/* bind_csv.c - tables of numbers in text (csv.h). */
#include "bind_csv.h"

#include <limits.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "tables/csv.h"

static void free_csv(void *t) { bnn_csv_free(t); }

/* The field of the options at index 2: what it is when it is not nil. */
static int option(lua_State *L, const char *name) { return lua_getfield(L, 2, name); }

/* Reads the value on top of the stack as a column: a name, which stands as long as the options do,
 * or a position. */
static bnn_csv_column check_column(lua_State *L, const char *fault) {
  bnn_csv_column c = {NULL, 0};
  if (lua_type(L, -1) == LUA_TSTRING) {
    c.name = lua_tostring(L, -1);
    return c;
  }
  int is_integer;
  lua_Integer position = lua_tointegerx(L, -1, &is_integer);
  bool fits = is_integer && position != 0 && position > -INT_MAX && position < INT_MAX;
  bind_argcheck(L, fits, 2, fault);
  c.position = (int)position;
  return c;
}

static char check_separator(lua_State *L) {
  size_t n;
  const char *separator = luaL_checklstring(L, -1, &n);
  bind_argcheck(L, n == 1 && !strchr("\"\r\n", *separator), 2,
                "delimiter: expected one character, no quote or line end");
  return *separator;
}

/* The list in field `name` as n columns; it leaves what it allocates on the stack. */
static const bnn_csv_column *check_columns(lua_State *L, const char *name, size_t *n) {
  *n = 0;
  if (option(L, name) == LUA_TNIL) return NULL;
  bind_argcheck(L, lua_istable(L, -1), 2, "drop: expected a list of columns");
  int list = lua_gettop(L);
  *n = (size_t)lua_rawlen(L, list);
  bnn_csv_column *column = lua_newuserdatauv(L, *n * sizeof *column + 1, 0);
  for (size_t i = 0; i < *n; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    column[i] = check_column(L, "drop: expected names or positions from 1");
    lua_pop(L, 1);
  }
  return column;
}

/* The same as n strings. */
static const char *const *check_texts(lua_State *L, const char *name, size_t *n) {
  *n = 0;
  return option(L, name) == LUA_TNIL ? NULL : bind_check_strings(L, -1, 2, name, n);
}

/* {separator =, header =, label =, drop =, classes =}; what they hold stands as long as the table
 * and the stack do. */
static bnn_csv_options check_options(lua_State *L) {
  bnn_csv_options o = {0};
  if (lua_isnoneornil(L, 2)) return o;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (option(L, "separator") != LUA_TNIL) o.separator = check_separator(L);
  if (option(L, "header") != LUA_TNIL)
    o.header = lua_toboolean(L, -1) ? BNN_CSV_HEADER : BNN_CSV_NO_HEADER;
  if (option(L, "label") != LUA_TNIL) {
    bnn_csv_column label = check_column(L, "label: expected a name or a column from 1");
    o.label = label.name;
    o.column = label.position;
  }
  lua_pop(L, 3);
  o.drop = check_columns(L, "drop", &o.n_drop);
  o.class_name = check_texts(L, "classes", &o.classes);
  return o;
}

static void push_texts(lua_State *L, char *const *text, size_t n) {
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushstring(L, text[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* The tensor at *x, which is taken from the table. */
static void push_field(lua_State *L, const char *name, bnn_tensor **x) {
  bnn_tensor *t = *x;
  bind_push_tensor(L);
  *x = NULL;
  bind_fill_tensor(L, -1, t);
  lua_setfield(L, -2, name);
}

static void push_integer(lua_State *L, const char *name, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/* What was found, for the notice of it. */
static void push_found(lua_State *L, const bnn_csv *t) {
  lua_createtable(L, 0, 6);
  lua_pushlstring(L, &t->separator, 1);
  lua_setfield(L, -2, "separator");
  push_integer(L, "columns", t->columns);
  push_integer(L, "label", t->label);
  push_integer(L, "unnamed", t->unnamed);
  lua_pushboolean(L, t->numbers_rows);
  lua_setfield(L, -2, "numbers_rows");
}

static void push_table(lua_State *L, bnn_csv *t) {
  lua_createtable(L, 0, 5);
  push_found(L, t);
  lua_setfield(L, -2, "found");
  if (t->name) {
    push_texts(L, t->name, t->x->dim[1]);
    lua_setfield(L, -2, "names");
  }
  push_field(L, "x", &t->x);
  if (t->y) push_field(L, "y", &t->y);
  if (t->classes) {
    push_texts(L, t->class_name, t->classes);
    lua_setfield(L, -2, "classes");
  }
}

static int core_csv_read(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  const char *path = bind_check_path(L, 1);
  bnn_csv_options o = check_options(L);
  void **held = bind_push_holder(L, free_csv);
  bnn_csv *t = NULL;
  do {
    const bnn_stop before = bnn_context_watch(bind_context(L));
    status = bnn_stop_end(before, bnn_csv_read(&t, path, &o, &err), &err);
  } while (bind_try_again(L, status, &tries));
  *held = t;
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  push_table(L, t);
  bind_empty_holder(held);
  return 1;
}

static const bind_row rows[] = {
    {"csv_read", core_csv_read,
     "csv_read(path [, {separator=, header=, label=, drop=, classes=}]): reads a text table of "
     "numbers\n"
     "Returns {x = real [n, d], y = labels [n] or nil, names = of x's columns or nil, classes =\n"
     "names of text labels, found = {separator =, columns =, label =, unnamed =, numbers_rows\n"
     "=}}; or nil, message."},
    {NULL, NULL, NULL},
};

void bind_open_csv(lua_State *L) { bind_register(L, "bnn.core.", rows); }
