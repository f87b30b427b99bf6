/* bind_files.c - tables in text, bytes into a file, folders, and the holder. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "bind.h"
#include "csv.h"
#include "save.h"

/* ---- the holder ---- */

typedef struct holder {
  void *p;
  void (*release)(void *p);
} holder;

static int holder_gc(lua_State *L) {
  holder *h = lua_touserdata(L, 1);
  void *p = h->p;
  h->p = NULL;
  if (p) h->release(p);
  return 0;
}

void **bind_push_holder(lua_State *L, void (*release)(void *p)) {
  holder *h = lua_newuserdatauv(L, sizeof *h, 0);
  *h = (holder){NULL, release};
  if (luaL_newmetatable(L, "bnn.holder")) {
    lua_pushcfunction(L, holder_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return &h->p;
}

/* ---- tables ---- */

static void free_csv(void *t) { bnn_csv_free(t); }

/* The field of the options at index 2: what it is when it is not nil. */
static int option(lua_State *L, const char *name) { return lua_getfield(L, 2, name); }

/* {separator =, header =, label =}; strings stand as long as the table does. */
static bnn_csv_options check_options(lua_State *L) {
  bnn_csv_options o = {0};
  if (lua_isnoneornil(L, 2)) return o;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (option(L, "separator") != LUA_TNIL) {
    size_t n;
    const char *separator = luaL_checklstring(L, -1, &n);
    luaL_argcheck(L, n == 1 && !strchr("\"\r\n ", *separator), 2,
                  "separator: one character is wanted, no quote, blank or line end");
    o.separator = *separator;
  }
  if (option(L, "header") != LUA_TNIL)
    o.header = lua_toboolean(L, -1) ? BNN_CSV_HEADER : BNN_CSV_NO_HEADER;
  int type = option(L, "label");
  if (type == LUA_TNUMBER) {
    lua_Integer column = luaL_checkinteger(L, -1);
    luaL_argcheck(L, column != 0 && column > -INT_MAX && column < INT_MAX, 2,
                  "label: a name or a column from 1 is wanted");
    o.column = (int)column;
  } else if (type != LUA_TNIL) {
    o.label = luaL_checkstring(L, -1);
  }
  lua_pop(L, 3);
  return o;
}

static void push_texts(lua_State *L, char *const *text, size_t n) {
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushstring(L, text[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_field(lua_State *L, const char *name, bnn_tensor *x) {
  bind_tensor *box = bind_push_tensor(L);
  bind_fill_tensor(L, box, bnn_tensor_ref(x));
  lua_setfield(L, -2, name);
}

static void push_table(lua_State *L, const bnn_csv *t) {
  lua_createtable(L, 0, 4);
  push_field(L, "x", t->x);
  if (t->y) push_field(L, "y", t->y);
  if (t->name) {
    push_texts(L, t->name, t->x->dim[1]);
    lua_setfield(L, -2, "names");
  }
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
  do status = bnn_csv_read(&t, path, &o, &err);
  while (bind_try_again(L, status, &tries));
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  *held = t;
  push_table(L, t);
  *held = NULL; /* the boxes have their own references */
  bnn_csv_free(t);
  return 1;
}

static int core_save_bytes(lua_State *L) {
  bnn_err err;
  const char *path = bind_check_path(L, 1);
  bnn_piece bytes = {0};
  bytes.p = luaL_checklstring(L, 2, &bytes.n);
  bnn_status status = bnn_save(path, &bytes, 1, &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

/* ---- folders ---- */

static void close_dir(void *dir) { closedir(dir); }

/* What dir/name is; follows links. */
static const char *kind_of(DIR *dir, const char *name) {
  struct stat about;
  if (fstatat(dirfd(dir), name, &about, 0) != 0) return "other";
  return S_ISREG(about.st_mode) ? "file" : S_ISDIR(about.st_mode) ? "folder" : "other";
}

static int core_list_dir(lua_State *L) {
  const char *path = bind_check_path(L, 1);
  void **held = bind_push_holder(L, close_dir);
  DIR *dir = *held = opendir(path);
  if (!dir) return bind_refuse_with(L, "input/output error: %s: %s", path, strerror(errno));
  lua_newtable(L);
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    lua_pushstring(L, kind_of(dir, name));
    lua_setfield(L, -2, name);
  }
  *held = NULL;
  closedir(dir);
  return 1;
}

static const bind_row rows[] = {
    {"csv_read", core_csv_read,
     "csv_read(path [, {separator=, header=, label=}]): a table of numbers in text\n"
     "Returns {x = real [n, d], y = labels [n] or nil, names = of x's columns or nil, classes = of "
     "labels that are text}; or nil, message."},
    {"save_bytes", core_save_bytes,
     "save_bytes(path, bytes): writes a file, whole or not at all; true, or nil, message"},
    {"list_dir", core_list_dir,
     "list_dir(path): what a folder holds: {name = \"file\", \"folder\" or \"other\"}\n"
     "Returns nil, message when it can not be read."},
    {NULL, NULL, NULL},
};

void bind_open_files(lua_State *L) { bind_register(L, "bnn.core.", rows); }
