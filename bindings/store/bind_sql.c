/* bind_sql.c - databases in a file: a text of SQL with its values in, rows out. */
#include "bind_sql.h"

#include <string.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../tensor/bind_argument.h"
#include "store/sql.h"

enum { WAIT_MS = 30000, FIRST_VALUE = 3 };

static void sql_free(void *held) { bnn_sql_close(*(bnn_sql **)held); }

static size_t sql_bytes(const void *held) {
  (void)held;
  return BIND_DESCRIPTOR_BYTES;
}

static const bind_class sql_class = {
    .name = "bnn.sql",
    .noun = "database",
    .size = sizeof(bnn_sql *),
    .release = sql_free,
    .bytes = sql_bytes,
};

static int sql_close(lua_State *L) { return bind_release_box(L, &sql_class); }

static int core_sql_open(lua_State *L) {
  bnn_err err;
  bnn_sql *db = NULL;
  const char *path = bind_check_path(L, 1);
  bool may_write = lua_toboolean(L, 2);
  int wait_ms = lua_isnoneornil(L, 3) ? WAIT_MS : (int)bind_check_range(L, 3, "ms", 0, 3600000);
  bind_push_box(L, &sql_class);
  bnn_status status = bnn_sql_open(&db, path, may_write, wait_ms, &err);
  if (status == BNN_OK) return bind_fill_box(L, &sql_class, &db);
  return bind_refuse_file(L, status, &err);
}

/* ---- queries ---- */

static bnn_sql_value check_value(lua_State *L, int arg) {
  bnn_sql_value v = {.kind = BNN_SQL_NULL};
  switch (lua_type(L, arg)) {
  case LUA_TNONE:
  case LUA_TNIL: break;
  case LUA_TNUMBER:
    v.kind = lua_isinteger(L, arg) ? BNN_SQL_INTEGER : BNN_SQL_REAL;
    v.integer = lua_tointeger(L, arg);
    v.real = lua_tonumber(L, arg);
    break;
  case LUA_TSTRING:
    v.kind = BNN_SQL_TEXT;
    v.text = lua_tolstring(L, arg, &v.length);
    break;
  default: bind_typeerror(L, arg, "a number, string or nil");
  }
  return v;
}

static bnn_status bind_values(lua_State *L, bnn_sql_query *q, bnn_err *err) {
  for (int i = 1, n = bnn_sql_parameters(q); i <= n; i++) {
    bnn_sql_value v = check_value(L, FIRST_VALUE + bnn_sql_value_number(q, i) - 1);
    BNN_TRY(bnn_sql_bind(q, i, &v, err));
  }
  return BNN_OK;
}

/* Pushes a value; false, and nothing is pushed, for NULL. */
static bool push_value(lua_State *L, const bnn_sql_value *v) {
  switch (v->kind) {
  case BNN_SQL_NULL: return false;
  case BNN_SQL_INTEGER: lua_pushinteger(L, v->integer); break;
  case BNN_SQL_REAL: lua_pushnumber(L, v->real); break;
  case BNN_SQL_TEXT: lua_pushlstring(L, v->text, v->length); break;
  }
  return true;
}

/* Pushes the rows, a list of lists. */
static bnn_status push_rows(lua_State *L, bnn_sql_query *q, bnn_err *err) {
  lua_newtable(L);
  for (lua_Integer r = 1;; r++) {
    bool row;
    BNN_TRY(bnn_sql_step(q, &row, err));
    if (!row) return BNN_OK;
    int columns = bnn_sql_columns(q);
    lua_createtable(L, columns, 0);
    for (int i = 0; i < columns; i++) {
      bnn_sql_value v = bnn_sql_column(q, i);
      if (push_value(L, &v)) lua_rawseti(L, -2, i + 1);
    }
    lua_rawseti(L, -2, r);
  }
}

static void push_names(lua_State *L, const bnn_sql_query *q) {
  int columns = bnn_sql_columns(q);
  lua_createtable(L, columns, 0);
  for (int i = 0; i < columns; i++) {
    lua_pushstring(L, bnn_sql_name(q, i));
    lua_rawseti(L, -2, i + 1);
  }
}

static void finish(void *q) { bnn_sql_finish(q); }

/* run(sql, ...) */
static int sql_run(lua_State *L) {
  bnn_err err;
  size_t n, used = 0, rest = 0;
  bnn_sql *db = *(bnn_sql **)bind_check_box(L, 1, &sql_class);
  const char *text = luaL_checklstring(L, 2, &n);
  for (int i = FIRST_VALUE, top = lua_gettop(L); i <= top; i++) check_value(L, i);
  void **held = bind_push_holder(L, finish);
  lua_toclose(L, -1); /* a query that waits for the collector would keep the file locked */
  bnn_sql_query *q = NULL, *more = NULL;
  bnn_status status = bnn_sql_prepare(&q, db, text, n, &used, &err);
  *held = q;
  if (status == BNN_OK && used < n) {
    status = bnn_sql_prepare(&more, db, text + used, n - used, &rest, &err);
    bnn_sql_finish(more);
  }
  if (status == BNN_OK && (!q || more)) {
    bind_empty_holder(held);
    return bind_refuse_with(L, "expected one statement of SQL, got %s", q ? "several" : "none");
  }
  if (status == BNN_OK) status = bind_values(L, q, &err);
  if (status == BNN_OK) status = push_rows(L, q, &err);
  if (status == BNN_OK) push_names(L, q);
  bind_empty_holder(held);
  if (status == BNN_OK) return 2;
  if (status == BNN_ENOMEM) bind_check(L, status, &err);
  return bind_refuse_with(L, "%s", err.text);
}

static const luaL_Reg sql_meta[] = {{"__gc", sql_close}, {"__close", sql_close}, {NULL, NULL}};

static const bind_row sql_methods[] = {
    {"run", sql_run,
     "run(sql, ...): runs one statement of SQL with values for its parameters: numbers, strings, nil\n"
     "Returns a list of rows, each a list without its NULLs, and the list of the columns' names; or\n"
     "nil, message."},
    {"close", sql_close, "close(): closes the database; calling it twice is safe"},
    {NULL, NULL, NULL},
};

static int core_sql_version(lua_State *L) {
  const char *version = bnn_sql_version();
  if (version)
    lua_pushstring(L, version);
  else
    luaL_pushfail(L);
  return 1;
}

static const bind_row rows[] = {
    {"sql_version", core_sql_version,
     "sql_version(): SQLite's version, or nil in a build without it"},
    {"sql_open", core_sql_open,
     "sql_open(path [, may_write [, ms]]): opens a database of SQLite, which is created if "
     "may_write;\n"
     "ms: how long to wait for other processes (30000). Returns nil, message if it cannot be opened,\n"
     "and in a build without SQLite."},
    {NULL, NULL, NULL},
};

void bind_open_sql(lua_State *L) {
  bind_register(L, "bnn.core.", rows);
  bind_new_class(L, sql_class.name, "database:", sql_meta, sql_methods);
  lua_pop(L, 1);
}
