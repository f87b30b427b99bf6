/* main_tools.c - see main_tools.h. */
#include "main_tools.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_loader.h"
#include "../base/bind_scripts.h"
#include "main_call.h"
#include "main_run.h"

#define TOOL_PREFIX "tools."

static bool is_tool(const bind_script *script) {
  return strncmp(script->name, TOOL_PREFIX, strlen(TOOL_PREFIX)) == 0;
}

/* A script's summary, the text after "---" on its first line; *length is 0 without one. */
static const char *summary(const bind_script *script, int *length) {
  const char *text = (const char *)script->data;
  *length = 0;
  if (script->size < 4 || memcmp(text, "---", 3) != 0) return "";
  const char *from = text + 3, *end = memchr(from, '\n', script->size - 3);
  while (from < text + script->size && *from == ' ') from++;
  if (end && end > from) *length = (int)(end - from);
  return from;
}

void main_print_tools(FILE *out) {
  size_t known = 0;
  fputs("Tools, run by `bnnlua -m NAME [arguments]`:\n", out);
  for (size_t i = 0; i < bind_script_count; i++) {
    if (!is_tool(&bind_scripts[i])) continue;
    int length;
    const char *text = summary(&bind_scripts[i], &length);
    fprintf(out, "  %-11s %.*s\n", bind_scripts[i].name + strlen(TOOL_PREFIX), length, text);
    known++;
  }
  if (known == 0) fputs("  (none in this build)\n", out);
}

static int report_unknown_tool(lua_State *L, const char *tool) {
  luaL_Buffer names;
  luaL_buffinit(L, &names);
  for (size_t i = 0; i < bind_script_count; i++) {
    if (!is_tool(&bind_scripts[i])) continue;
    if (luaL_bufflen(&names) > 0) luaL_addstring(&names, ", ");
    luaL_addstring(&names, bind_scripts[i].name + strlen(TOOL_PREFIX));
  }
  luaL_pushresult(&names);
  const char *known = lua_tostring(L, -1);
  lua_pushfstring(L, "no tool '%s' (known: %s)", tool, *known ? known : "none");
  main_print_message(main_program(), lua_tostring(L, -1));
  return EXIT_FAILURE;
}

int main_run_tool(lua_State *L, const char *tool) {
  int status = bind_loader_load(L, lua_pushfstring(L, TOOL_PREFIX "%s", tool));
  if (status == -1) return report_unknown_tool(L, tool);
  if (status != LUA_OK) return main_report(L, status);
  if (lua_getglobal(L, "arg") == LUA_TTABLE) {
    lua_pushvalue(L, -2); /* the path */
    lua_rawseti(L, -2, 0);
  }
  lua_pop(L, 2);
  return main_report(L, main_call(L, main_push_arguments(L), LUA_MULTRET));
}
