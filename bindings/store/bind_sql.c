/* bind_sql.c - databases: a text of SQL with its values in, rows out. */
#include "bind_sql.h"

#include <string.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../base/bind_signal.h"
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

/* What a program can do about a failure, as a word; NULL: nothing. */
static const char *remedy(bnn_status status) {
  return status == BNN_ELOST ? "lost" : status == BNN_EBUSY ? "busy" : NULL;
}

/* Pushes nil, the message and, where there is one, the remedy; raises an interrupt and for want of
 * memory. */
static int refuse(lua_State *L, bnn_status status, const bnn_err *err) {
  if (status == BNN_ESTOP) bind_signal_raise_if_pending(L);
  if (status == BNN_ENOMEM) bind_check(L, status, err);
  bind_refuse_with(L, "%s", err->text);
  if (!remedy(status)) return 2;
  lua_pushstring(L, remedy(status));
  return 3;
}

static int core_sql_open(lua_State *L) {
  bnn_err err;
  bnn_sql *db = NULL;
  const char *place = bind_check_path(L, 1);
  bnn_sql_options options = {.may_write = lua_toboolean(L, 2), .stopped = bind_signal_pending};
  options.wait_ms = lua_isnoneornil(L, 3) ? WAIT_MS : (int)bind_check_range(L, 3, "ms", 0, 3600000);
  bind_push_box(L, &sql_class);
  bnn_status status = bnn_sql_open(&db, place, &options, &err);
  if (status == BNN_OK) return bind_fill_box(L, &sql_class, &db);
  return bnn_sql_is_url(place) ? refuse(L, status, &err) : bind_refuse_file(L, status, &err);
}

static int sql_kind(lua_State *L) {
  lua_pushstring(L, bnn_sql_store_name(*(bnn_sql **)bind_check_box(L, 1, &sql_class)));
  return 1;
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

/* The arguments up to `last`; those that are not there are null. */
static bnn_status bind_values(lua_State *L, int last, bnn_sql_query *q, bnn_err *err) {
  for (int i = 1, n = bnn_sql_parameters(q); i <= n; i++) {
    const int arg = FIRST_VALUE + bnn_sql_value_number(q, i) - 1;
    bnn_sql_value v = arg <= last ? check_value(L, arg) : (bnn_sql_value){.kind = BNN_SQL_NULL};
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
  const int last = lua_gettop(L);
  for (int i = FIRST_VALUE; i <= last; i++) check_value(L, i);
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
  if (status == BNN_OK) status = bind_values(L, last, q, &err);
  if (status == BNN_OK) status = push_rows(L, q, &err);
  if (status == BNN_OK) push_names(L, q);
  bind_empty_holder(held);
  return status == BNN_OK ? 2 : refuse(L, status, &err);
}

/* ---- notifications ---- */

/* listen(channel) */
static int sql_listen(lua_State *L) {
  bnn_err err;
  bnn_sql *db = *(bnn_sql **)bind_check_box(L, 1, &sql_class);
  bnn_status status = bnn_sql_listen(db, bind_check_path(L, 2), &err);
  if (status != BNN_OK) return refuse(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

static int sql_notified(lua_State *L) {
  bnn_err err;
  bool come = false;
  bnn_status status = bnn_sql_notified(*(bnn_sql **)bind_check_box(L, 1, &sql_class), &come, &err);
  if (status != BNN_OK) return refuse(L, status, &err);
  lua_pushboolean(L, come);
  return 1;
}

/* ---- what Lua sees ---- */

static const luaL_Reg sql_meta[] = {{"__gc", sql_close}, {"__close", sql_close}, {NULL, NULL}};

static const bind_row sql_methods[] = {
    {"run", sql_run,
     "run(sql, ...): runs one statement of SQL with values for its parameters: numbers, strings, nil\n"
     "Returns a list of rows, each a list without its NULLs, and the list of the columns' names; or\n"
     "nil, message, and \"lost\" if the connection to the server is gone (it has not answered in\n"
     "time, or was ended), which takes back its transaction, or \"busy\" if another process was in\n"
     "the way: a lock, a deadlock. PostgreSQL reads values as the types of what stands beside\n"
     "them: a bare $1 is a text. Its integers and booleans come as integers, its floats and numerics\n"
     "as floats."},
    {"kind", sql_kind, "kind(): \"sqlite\" or \"postgresql\""},
    {"listen", sql_listen,
     "listen(channel): asks the server for what is sent to a channel by NOTIFY\n"
     "Returns true; or nil, message, as run, and for SQLite, which has none."},
    {"notified", sql_notified,
     "notified(): whether a notification has come since the last call; the server is not asked\n"
     "Returns false for SQLite; nil, message, \"lost\" if the connection is gone."},
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
     "sql_open(place [, may_write [, ms]]): opens a database of SQLite by its path, which is created "
     "if\n"
     "may_write, or of a PostgreSQL server by its URL, postgresql://host/db; ms: how long to wait "
     "for\n"
     "other processes, and for a server's answer (30000; at least 1000). Returns nil, message if it\n"
     "cannot be opened, and \"lost\" if a server is not there and may be later. A URL with a\n"
     "password in it is refused. What a fork's parent opened the child may only close."},
    {NULL, NULL, NULL},
};

void bind_open_sql(lua_State *L) {
  bind_register(L, "bnn.core.", rows);
  bind_new_class(L, sql_class.name, "database:", sql_meta, sql_methods);
  lua_pop(L, 1);
}
