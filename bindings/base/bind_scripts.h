/* bind_scripts.h - the Lua files and guides of scripts/ as they are compiled into the program.
 *
 * The table itself is made by scripts/build/embed.sh when the program is built: one row a file, in
 * the order of the paths, and a last row of NULLs that the count leaves out. */
#ifndef BIND_SCRIPTS_H
#define BIND_SCRIPTS_H

#include <stddef.h>

typedef struct bind_script {
  const char *name;          /* what `require` calls it: "bnn", "tools.data"; "help/data.md" */
  const char *path;          /* where it came from: "scripts/bnn/init.lua"; for chunk names */
  const unsigned char *data; /* the text; a 0 that `size` does not count stands after it */
  size_t size;               /* bytes */
  const unsigned char *code; /* what Lua compiled it to; NULL: a guide, or a build without */
  size_t code_size;          /* bytes */
} bind_script;

extern const bind_script bind_scripts[];
extern const size_t bind_script_count;

/* lua_ident of the Lua that compiled `code`, as another release may read it in another way; "" in a
 * build without. */
extern const char bind_scripts_lua[];

#endif
