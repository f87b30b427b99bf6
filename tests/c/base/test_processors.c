/* test_processors.c - quotas of control groups, in small trees that stand in for /proc and /sys. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nftw */
#endif
#include "base/processors.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support.h"

static char root[] = "/tmp/bnn-processors-XXXXXX";

static void make_root(void) {
  memcpy(root + sizeof root - 7, "XXXXXX", 6);
  ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *about, int flag, struct FTW *place) {
  (void)about, (void)flag, (void)place;
  return remove(path);
}

static void remove_root(void) { nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

/* Writes a file below the root, and the folders that lead to it. */
static void put(const char *path, const char *text) {
  char full[PATH_MAX];
  snprintf(full, sizeof full, "%s%s", root, path);
  for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
    *at = 0;
    mkdir(full, 0700);
    *at = '/';
  }
  FILE *file = fopen(full, "w");
  ck_assert_ptr_nonnull(file);
  fputs(text, file);
  fclose(file);
}

#define V2_MOUNT "28 22 0:25 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT                                                                                  \
  "25 20 8:1 / / rw shared:1 - ext4 /dev/root rw\n"                                               \
  "31 25 0:28 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro,mode=755\n"                           \
  "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"                             \
  "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:3 master:2 - cgroup cgroup rw,cpu,cpuacct\n" \
  "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

static void of_version_2(const char *group) {
  put("/proc/self/mountinfo", V2_MOUNT);
  put("/proc/self/cgroup", group);
}

static void of_version_1(const char *group) {
  put("/proc/self/mountinfo", V1_MOUNT);
  put("/proc/self/cgroup", group);
}

START_TEST(without_control_groups_there_is_no_quota) {
  ck_assert_int_eq(bnn_processor_quota(root), 0); /* no /proc */
  of_version_2("0::/\n");
  ck_assert_int_eq(bnn_processor_quota(root), 0); /* no cpu.max, as in the topmost group */
  put("/sys/fs/cgroup/cpu.max", "max 100000\n");
  ck_assert_int_eq(bnn_processor_quota(root), 0);
}
END_TEST

START_TEST(a_quota_is_rounded_up_to_whole_processors) {
  static const struct {
    const char *max;
    int want;
  } row[] = {{"200000 100000\n", 2}, {"200001 100000\n", 3},
             {"150000 100000\n", 2}, {"5000 100000\n", 1},
             {"1000 1000000\n", 1},  {"6400000 50000\n", 128},
             {"max 100000\n", 0},    {"0 100000\n", 0},
             {"100000 0\n", 0},      {"", 0},
             {"-1 100000\n", 0},     {"1e30 1\n", 0}};
  of_version_2("0::/job\n");
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    put("/sys/fs/cgroup/job/cpu.max", row[i].max);
    ck_assert_msg(bnn_processor_quota(root) == row[i].want, "%s: %d", row[i].max,
                  bnn_processor_quota(root));
  }
}
END_TEST

START_TEST(the_least_quota_of_a_group_and_those_above_counts) {
  of_version_2("0::/slice/with blank/job.scope\n");
  put("/sys/fs/cgroup/slice/with blank/job.scope/cpu.max", "800000 100000\n");
  ck_assert_int_eq(bnn_processor_quota(root), 8);
  put("/sys/fs/cgroup/slice/with blank/cpu.max", "max 100000\n");
  put("/sys/fs/cgroup/slice/cpu.max", "300000 100000\n");
  ck_assert_int_eq(bnn_processor_quota(root), 3);
  put("/sys/fs/cgroup/cpu.max", "250000 200000\n");
  ck_assert_int_eq(bnn_processor_quota(root), 2);
  put("/sys/fs/cgroup/other/cpu.max", "100000 100000\n");
  put("/sys/fs/cpu.max", "100000 100000\n");
  ck_assert_int_eq(bnn_processor_quota(root), 2); /* neither beside nor above the mount point */
}
END_TEST

START_TEST(version_1_has_two_files) {
  of_version_1("11:cpuset:/\n4:cpu,cpuacct:/batch/job 7\n0::/elsewhere\n");
  ck_assert_int_eq(bnn_processor_quota(root), 0);
  put("/sys/fs/cgroup/cpu,cpuacct/batch/job 7/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu,cpuacct/batch/job 7/cpu.cfs_period_us", "100000\n");
  ck_assert_int_eq(bnn_processor_quota(root), 0);
  put("/sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_quota_us", "350000\n");
  put("/sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_period_us", "100000\n");
  ck_assert_int_eq(bnn_processor_quota(root), 4);
  put("/sys/fs/cgroup/unified/elsewhere/cpu.max", "100000 100000\n"); /* both at once */
  ck_assert_int_eq(bnn_processor_quota(root), 1);
}
END_TEST

/* A container sees one group of the host's, mounted as the topmost, by the host's names or, in a
 * name space of its own, as /. */
START_TEST(a_container_finds_its_own_group) {
  static const struct {
    const char *from, *group;
    int want;
  } row[] = {{"/docker/abc", "0::/docker/abc\n", 4},
             {"/docker/abc", "0::/docker/abc/inner\n", 2},
             {"/docker/abc", "0::/docker/abcd\n", 4},
             {"/docker/abc", "0::/\n", 4},
             {"/", "0::/\n", 4},
             {"/", "0::/inner\n", 2},
             {"/../..", "0::/../../x\n", 4}};
  put("/my groups/cpu.max", "400000 100000\n");
  put("/my groups/inner/cpu.max", "200000 100000\n");
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    char mount[200];
    snprintf(mount, sizeof mount, "28 22 0:25 %s /my\\040groups rw - cgroup2 cgroup rw\n",
             row[i].from);
    put("/proc/self/mountinfo", mount);
    put("/proc/self/cgroup", row[i].group);
    ck_assert_msg(bnn_processor_quota(root) == row[i].want, "%s, %s: %d", row[i].from, row[i].group,
                  bnn_processor_quota(root));
  }
}
END_TEST

START_TEST(what_is_malformed_is_no_quota) {
  static const char *const mounts[] = {"",
                                       "\n",
                                       "1 2 3\n",
                                       "1 2 3 / /x rw - cgroup2\n",
                                       "1 2 3 / /x rw cgroup2 cgroup2 rw\n",
                                       " - - - - -\n"};
  static const char *const groups[] = {"", "\n", "0\n", "0:\n", "::::\n", "4:cpu\n"};
  for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
    put("/proc/self/mountinfo", mounts[i]);
    put("/proc/self/cgroup", "0::/\n");
    ck_assert_int_eq(bnn_processor_quota(root), 0);
  }
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
    of_version_1(groups[i]);
    ck_assert_int_eq(bnn_processor_quota(root), 0);
  }
}
END_TEST

START_TEST(this_process_has_a_processor) {
  const int n = bnn_processors(), quota = bnn_processor_quota("");
  ck_assert_int_ge(n, 1);
  ck_assert(quota == 0 || n <= quota);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_root, remove_root);
  tcase_add_test(tests, without_control_groups_there_is_no_quota);
  tcase_add_test(tests, a_quota_is_rounded_up_to_whole_processors);
  tcase_add_test(tests, the_least_quota_of_a_group_and_those_above_counts);
  tcase_add_test(tests, version_1_has_two_files);
  tcase_add_test(tests, a_container_finds_its_own_group);
  tcase_add_test(tests, what_is_malformed_is_no_quota);
  tcase_add_test(tests, this_process_has_a_processor);
}

int main(void) { return run_suite("processors", add_tests); }
