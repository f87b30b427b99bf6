/* main_options.c - see main_options.h. */
#include "main_options.h"

#include <string.h>

const char *main_option_argument(char **argv, int *i) {
  if (argv[*i][2] != '\0') return argv[*i] + 2;
  const char *next = argv[*i + 1];
  if (!next || next[0] == '-') return NULL;
  ++*i;
  return next;
}

/* Reads the option at *i, moving *i to the last element it uses. false: it is wrong. */
static bool read_option(main_options *o, char **argv, int *i) {
  const char *text = argv[*i];
  bool alone = text[2] == '\0';
  switch (text[1]) {
  case 'E': o->no_env = true; return alone;
  case 'W': return alone;
  case 'i': o->interactive = o->version = true; return alone;
  case 'v': o->version = true; return alone;
  case 'e': o->execute = true; return main_option_argument(argv, i) != NULL;
  case 'l': return main_option_argument(argv, i) != NULL;
  case 'm': o->tool = main_option_argument(argv, i); return o->tool != NULL;
  default: return false;
  }
}

/* Long options and the ends of the options. true: no more options follow *i. */
static bool ends_options(main_options *o, char **argv, int *i) {
  const char *text = argv[*i];
  if (text[0] != '-' || text[1] == '\0') return true; /* a script's name, or stdin */
  if (strcmp(text, "--help") == 0)
    o->help = true;
  else if (strcmp(text, "--version") == 0)
    o->versions = true;
  else if (strcmp(text, "--") == 0)
    ++*i;
  else
    return false;
  return true;
}

main_options main_read_options(int argc, char **argv) {
  main_options o = {0};
  int i = 1;
  for (; i < argc && !ends_options(&o, argv, &i); i++) {
    const char *text = argv[i];
    if (!read_option(&o, argv, &i)) {
      o.bad = text;
      break;
    }
    if (o.tool) break;
  }
  o.script = i < argc ? i : argc;
  return o;
}
