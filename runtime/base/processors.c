/* processors.c - see processors.h.
 *
 * /proc/self/mountinfo says where each hierarchy of control groups is mounted, and from which of
 * its groups down; /proc/self/cgroup says which group of it is ours.  proc(5), cgroups(7). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "processors.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "number.h"

enum { LINE = PATH_MAX + 1024, VERSION_1 = 1, VERSION_2 = 2 };

/* A hierarchy that limits time on processors. */
typedef struct hierarchy {
  int version;
  char from[PATH_MAX]; /* the group that is mounted */
  char at[PATH_MAX];   /* where */
} hierarchy;

static FILE *open_below(const char *root, const char *path) {
  char full[2 * PATH_MAX];
  bnn_format(full, sizeof full, "%s%s", root, path);
  return fopen(full, "re");
}

/* Whether a list with commas has the word. */
static bool lists(const char *list, const char *word) {
  const size_t n = strlen(word);
  for (const char *at = list; at; at = strchr(at, ','), at += at != NULL)
    if (strncmp(at, word, n) == 0 && (at[n] == 0 || at[n] == ',')) return true;
  return false;
}

/* The next word of a line, which is cut off after it; blanks within are written \040. */
static char *next_word(char **line) {
  char *word = strtok_r(NULL, " \n", line), *to = word;
  for (const char *at = word; at && (*to = *at) != 0; at++, to++)
    if (strncmp(at, "\\040", 4) == 0) *to = ' ', at += 3;
  return word ? word : (char *)"";
}

/* "32 31 0:29 / /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu" */
static bool read_mount(hierarchy *h, char *line) {
  char *rest = line;
  for (int i = 0; i < 3; i++) next_word(&rest);
  bnn_format(h->from, sizeof h->from, "%s", next_word(&rest));
  bnn_format(h->at, sizeof h->at, "%s", next_word(&rest));
  const char *word = next_word(&rest);
  while (*word && strcmp(word, "-") != 0) word = next_word(&rest);
  const char *type = next_word(&rest);
  next_word(&rest);
  h->version = strcmp(type, "cgroup2") == 0                                    ? VERSION_2
               : strcmp(type, "cgroup") == 0 && lists(next_word(&rest), "cpu") ? VERSION_1
                                                                               : 0;
  return h->version != 0;
}

/* The path of our group in that hierarchy, of "4:cpu,cpuacct:/a/b" or "0::/a/b". */
static bool find_group(char group[PATH_MAX], const hierarchy *h, const char *root) {
  char line[LINE];
  bool found = false;
  FILE *file = open_below(root, "/proc/self/cgroup");
  while (file && !found && fgets(line, sizeof line, file)) {
    char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
    if (!path) continue;
    *list++ = 0, *path++ = 0;
    path[strcspn(path, "\n")] = 0;
    found = h->version == VERSION_2 ? strcmp(line, "0") == 0 : lists(list, "cpu");
    if (found) bnn_format(group, PATH_MAX, "%s", path);
  }
  if (file) fclose(file);
  return found;
}

/* ---- quotas ---- */

/* The number that a file begins with, and the one after it; false for "max" and no file. */
static bool read_numbers(double *first, double *second, const char *folder, const char *name) {
  char path[2 * PATH_MAX], text[128] = "", *end;
  bnn_format(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "re");
  if (!file) return false;
  const bool read = fgets(text, sizeof text, file) != NULL;
  fclose(file);
  *first = bnn_number_read(text, &end);
  if (!read || end == text) return false;
  if (second) *second = bnn_number_read(end, NULL);
  return true;
}

/* Of one group, in processors, rounded up; 0: none.  In version 1 -1 is none. */
static int quota_of(const char *folder, int version) {
  double quota, period;
  const bool limited = version == VERSION_2
                           ? read_numbers(&quota, &period, folder, "cpu.max")
                           : read_numbers(&quota, NULL, folder, "cpu.cfs_quota_us") &&
                                 read_numbers(&period, NULL, folder, "cpu.cfs_period_us");
  if (!limited || !(quota > 0 && period > 0)) return 0;
  const double processors = quota / period;
  return processors >= INT_MAX ? 0 : (int)processors + (processors > (int)processors);
}

/* Of our group and those above it, up to where the hierarchy is mounted.  A group that does not lie
 * below the one that is mounted (in a container that sees the host's names) is that one. */
static int least_quota(const hierarchy *h, const char *group, const char *root) {
  char folder[3 * PATH_MAX];
  const size_t n = strcmp(h->from, "/") == 0 ? 0 : strlen(h->from);
  const bool below = strncmp(group, h->from, n) == 0 && (group[n] == '/' || group[n] == 0);
  int least = 0;
  bnn_format(folder, sizeof folder, "%s%s%s", root, h->at, below ? group + n : "");
  const size_t top = strlen(root) + strlen(h->at);
  for (;;) {
    const int quota = quota_of(folder, h->version);
    if (quota && (!least || quota < least)) least = quota;
    char *slash = strrchr(folder, '/');
    if (!slash || (size_t)(slash - folder) < top) return least;
    *slash = 0;
  }
}

int bnn_processor_quota(const char *root) {
  char line[LINE], group[PATH_MAX];
  hierarchy h;
  int least = 0;
  FILE *file = open_below(root, "/proc/self/mountinfo");
  while (file && fgets(line, sizeof line, file)) {
    if (!read_mount(&h, line) || !find_group(group, &h, root)) continue;
    const int quota = least_quota(&h, group, root);
    if (quota && (!least || quota < least)) least = quota;
  }
  if (file) fclose(file);
  return least;
}

int bnn_processors(void) {
  long n = 0;
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
  if (n < 1) n = sysconf(_SC_NPROCESSORS_ONLN);
  if (n < 1) n = 1;
  const int quota = bnn_processor_quota("");
  return quota && quota < n ? quota : n < INT_MAX ? (int)n : INT_MAX;
}
