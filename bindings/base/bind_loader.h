/* bind_loader.h - finds the Lua modules that are compiled into the program, or into bnn.so.
 *
 * `bnn` and `bnn.*` come before the file searchers, so no file of the working folder shadows the
 * library; the others (tools.*) come after them, so they shadow no module of a user's own.
 * With BNNLUA_SCRIPTS=dir (unless -E) the same modules are read from that folder. */
#ifndef BIND_LOADER_H
#define BIND_LOADER_H

#include <lua.h>
#include <stdbool.h>

/* What has opened the library: the program, or a require "bnn" of another, which has no tools. */
typedef enum bind_host { BIND_PROGRAM, BIND_MODULE } bind_host;

/* Adds the searchers and package.preload["bnn.loader"]. Needs the standard libraries open.
 * `env`: whether BNNLUA_SCRIPTS counts. */
void bind_loader_open(lua_State *L, bind_host host, bool env);

/* Loads `module` as a chunk. Pushes the chunk and its path and returns LUA_OK; or pushes a message
 * and returns Lua's error code; or pushes nothing and returns -1: no such module. */
int bind_loader_load(lua_State *L, const char *module);

/* Whether a chunk of this source name (as lua_Debug has it) is a module of the library. */
bool bind_loader_owns(lua_State *L, const char *source);

/* require "bnn.loader": list() -> {{name=, path=}, ...}; source(name) -> text or nil, message;
 * code(name) -> what is loaded instead of the text, or nil; program() -> the path of bnnlua; or nil,
 * message. */
int luaopen_bnn_loader(lua_State *L);

#endif
