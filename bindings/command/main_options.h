/* main_options.h - the options of the command line, Lua's and the program's. */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include <stdbool.h>

typedef struct main_options {
  bool interactive, version, execute, no_env, help, versions;
  const char *tool; /* -m's argument, or NULL */
  const char *bad;  /* the option that is wrong, or NULL */
  int script;       /* index in argv of the script or the tool's name; argc when there is none */
} main_options;

main_options main_read_options(int argc, char **argv);

/* The argument of the option at *i, joined to it ("-lmod") or the next element. NULL: missing. */
const char *main_option_argument(char **argv, int *i);

#endif
