/* bind_loader.c - see bind_loader.h. The table of scripts is generated (bind_scripts.h). */
#include "bind_loader.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/c_locale.h"
#include "bind.h"
#include "bind_scripts.h"

#pragma weak lua_ident /* a host of the module may keep it to itself */

static const char folder_key = 'f'; /* its address: where the registry keeps BNNLUA_SCRIPTS */
static const char module_key = 'm'; /* true there: the host is not the program */

static const bind_script *find_script(const char *module) {
  for (size_t i = 0; i < bind_script_count; i++)
    if (strcmp(bind_scripts[i].name, module) == 0) return &bind_scripts[i];
  return NULL;
}

static bool is_library(const char *module) {
  return strncmp(module, "bnn", 3) == 0 && (module[3] == '\0' || module[3] == '.');
}

static bool is_ours(const char *module) {
  return is_library(module) || strncmp(module, "tools.", 6) == 0;
}

/* Pushes the folder and returns it, or pushes nil and returns NULL. */
static const char *push_folder(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &folder_key);
  return lua_tostring(L, -1);
}

/* Pushes the path of `module` in `folder`. A module that is not in the table (a file written since
 * the build) is looked for as dir/a/b.lua, then dir/a/b/init.lua; NULL, with nothing pushed, if
 * neither is there. */
static const char *push_path(lua_State *L, const char *folder, const char *module) {
  const bind_script *script = find_script(module);
  if (script) return lua_pushfstring(L, "%s/%s", folder, script->path + strlen("scripts/"));
  if (!is_ours(module)) return NULL;
  const char *slashed = luaL_gsub(L, module, ".", "/");
  static const char *const forms[] = {"%s/%s.lua", "%s/%s/init.lua"};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    const char *path = lua_pushfstring(L, forms[i], folder, slashed);
    if (access(path, R_OK) == 0) {
      lua_remove(L, -2);
      return path;
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return NULL;
}

/* In the C locale, since Lua reads 0.5 in a source as setlocale says. */
static int load_file(lua_State *L, const char *path) {
  locale_t before = bnn_locale_enter();
  int status = luaL_loadfile(L, path);
  bnn_locale_leave(before);
  if (status == LUA_ERRFILE) {
    lua_pushfstring(L, "%s (looked for there because BNNLUA_SCRIPTS is set)", lua_tostring(L, -1));
    lua_remove(L, -2);
  }
  return status;
}

/* Expects the folder pushed; replaces it as bind_loader_load says. */
static int load_from_folder(lua_State *L, const char *folder, const char *module) {
  const char *path = push_path(L, folder, module);
  if (!path) {
    lua_pop(L, 1);
    return -1;
  }
  int status = load_file(L, path);
  lua_insert(L, -3); /* chunk or message below folder, path */
  if (status == LUA_OK)
    lua_remove(L, -2);
  else
    lua_pop(L, 2);
  return status;
}

/* Whether the Lua that runs is the release that compiled the scripts. */
static bool takes_code(const bind_script *script) {
  return script->code && &lua_ident && strcmp(lua_ident, bind_scripts_lua) == 0;
}

static int load_code(lua_State *L, const bind_script *script) {
  return luaL_loadbufferx(L, (const char *)script->code, script->code_size, script->path, "b");
}

static int load_text(lua_State *L, const bind_script *script) {
  const char *chunkname = lua_pushfstring(L, "@%s", script->path);
  locale_t before = bnn_locale_enter();
  int status = luaL_loadbuffer(L, (const char *)script->data, script->size, chunkname);
  bnn_locale_leave(before);
  lua_remove(L, -2);
  return status;
}

static int load_embedded(lua_State *L, const char *module) {
  const bind_script *script = find_script(module);
  if (!script) return -1;
  int status = takes_code(script) ? load_code(L, script) : load_text(L, script);
  if (status == LUA_OK) lua_pushstring(L, script->path);
  return status;
}

int bind_loader_load(lua_State *L, const char *module) {
  if (!is_ours(module)) return -1; /* a guide is no module */
  luaL_checkstack(L, 6, "loading a module");
  const char *folder = push_folder(L);
  if (folder) return load_from_folder(L, folder, module);
  lua_pop(L, 1);
  return load_embedded(L, module);
}

bool bind_loader_owns(lua_State *L, const char *source) {
  if (strncmp(source, "@scripts/bnn/", strlen("@scripts/bnn/")) == 0) return true;
  const char *folder = push_folder(L);
  const size_t n = folder ? strlen(folder) : 0;
  bool owns = n && source[0] == '@' && strncmp(source + 1, folder, n) == 0 &&
              strncmp(source + 1 + n, "/bnn/", strlen("/bnn/")) == 0;
  lua_pop(L, 1);
  return owns;
}

/* A package.searchers entry: loader and path, or why there is none. */
static int search(lua_State *L, const char *module) {
  int status = bind_loader_load(L, module);
  if (status == LUA_OK) return 2;
  if (status > 0)
    return luaL_error(L, "error loading module '%s':\n\t%s", module, lua_tostring(L, -1));
  if (is_library(module))
    lua_pushfstring(L, "no script '%s' in the program", module);
  else
    lua_pushnil(L); /* nothing to add to Lua's own list */
  return 1;
}

static int search_library(lua_State *L) {
  const char *module = luaL_checkstring(L, 1);
  if (is_library(module)) return search(L, module);
  lua_pushnil(L);
  return 1;
}

static int search_rest(lua_State *L) {
  const char *module = luaL_checkstring(L, 1);
  if (!is_library(module)) return search(L, module);
  lua_pushnil(L);
  return 1;
}

/* The searcher of a module's host: it has no tools. */
static int refuse_tools(lua_State *L) {
  const char *module = luaL_checkstring(L, 1);
  if (strncmp(module, "tools.", strlen("tools.")) == 0)
    lua_pushfstring(L, "the tools are run by the program: bnnlua -m %s", module + strlen("tools."));
  else
    lua_pushnil(L);
  return 1;
}

/* Puts the searcher at `at` of the list on the stack's top, moving the others up. */
static void insert_searcher(lua_State *L, lua_Integer at, lua_CFunction searcher) {
  for (lua_Integer i = luaL_len(L, -1); i >= at; i--) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushcfunction(L, searcher);
  lua_rawseti(L, -2, at);
}

void bind_loader_open(lua_State *L, bind_host host, bool env) {
  lua_pushboolean(L, host == BIND_MODULE);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &module_key);
  const char *folder = env ? getenv("BNNLUA_SCRIPTS") : NULL;
  if (folder && *folder) {
    lua_pushstring(L, folder);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &folder_key);
  }
  lua_getglobal(L, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "searchers");
  insert_searcher(L, 2, search_library); /* 1 is package.preload's */
  insert_searcher(L, luaL_len(L, -1) + 1, host == BIND_MODULE ? refuse_tools : search_rest);
  lua_pop(L, 2);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_bnn_loader);
  lua_setfield(L, -2, "bnn.loader");
  lua_pop(L, 1);
}

static int loader_list(lua_State *L) {
  lua_createtable(L, (int)bind_script_count, 0);
  for (size_t i = 0; i < bind_script_count; i++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, bind_scripts[i].name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, bind_scripts[i].path);
    lua_setfield(L, -2, "path");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int close_stream(lua_State *L) {
  luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  return luaL_fileresult(L, fclose(stream->f) == 0, NULL);
}

/* Pushes a handle that the collector closes, so nothing leaks whatever raises. NULL: not there. */
static FILE *push_stream(lua_State *L, const char *path) {
  luaL_Stream *stream = lua_newuserdatauv(L, sizeof *stream, 0);
  stream->closef = NULL;
  luaL_setmetatable(L, LUA_FILEHANDLE);
  stream->f = fopen(path, "rb");
  if (stream->f) stream->closef = close_stream;
  return stream->f;
}

static void push_contents(lua_State *L, FILE *file) {
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  size_t n;
  do {
    char *buffer = luaL_prepbuffer(&text);
    n = fread(buffer, 1, LUAL_BUFFERSIZE, file);
    luaL_addsize(&text, n);
  } while (n > 0);
  luaL_pushresult(&text);
}

static int source_in_folder(lua_State *L, const char *folder, const char *module) {
  const char *path = push_path(L, folder, module);
  if (!path) {
    lua_pushnil(L);
    lua_pushfstring(L, "no script '%s' in %s", module, folder);
    return 2;
  }
  FILE *file = push_stream(L, path);
  if (!file) return luaL_fileresult(L, 0, path);
  push_contents(L, file);
  luaL_callmeta(L, -2, "__close");
  lua_pop(L, 1);
  return 1;
}

static int loader_source(lua_State *L) {
  const char *module = luaL_checkstring(L, 1);
  const char *folder = push_folder(L);
  if (folder) return source_in_folder(L, folder, module);
  const bind_script *script = find_script(module);
  if (script) {
    lua_pushlstring(L, (const char *)script->data, script->size);
    return 1;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "no script '%s' in the program", module);
  return 2;
}

/* code(module) -> what is loaded instead of the text; nil if the text is. */
static int loader_code(lua_State *L) {
  const bind_script *script = find_script(luaL_checkstring(L, 1));
  const bool from_folder = push_folder(L) != NULL;
  if (!from_folder && script && takes_code(script))
    lua_pushlstring(L, (const char *)script->code, script->code_size);
  else
    lua_pushnil(L);
  return 1;
}

/* program() -> the path of the program; or nil, message: this is another one. */
static int loader_program(lua_State *L) {
  char path[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  if (n < 0) return luaL_fileresult(L, 0, "/proc/self/exe");
  if ((size_t)n == sizeof path) return luaL_error(L, "the path of the program is too long");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &module_key);
  const bool is_module = lua_toboolean(L, -1);
  lua_pushlstring(L, path, (size_t)n);
  if (!is_module) return 1;
  lua_pushnil(L);
  lua_pushfstring(L, "this needs the program bnnlua; bnn is a module in %s here",
                  lua_tostring(L, -2));
  return 2;
}

int luaopen_bnn_loader(lua_State *L) {
  static const luaL_Reg functions[] = {{"list", loader_list},
                                       {"source", loader_source},
                                       {"code", loader_code},
                                       {"program", loader_program},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
