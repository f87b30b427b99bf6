/* test_sql.c - databases in a file: values come back, faults are named, nothing leaks. */
#include "store/sql.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static char folder[64];

static const char *database(void) {
  static char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", folder, "a?b#c%.db");
  return path;
}

static void make_folder(void) {
  strcpy(folder, "/tmp/bnn_sql_XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void) {
  unlink(database());
  ck_assert_int_eq(rmdir(folder), 0);
  ck_assert_uint_eq(bnn_mem_live(), 0);
}

static bnn_status open_database(bnn_sql **db, const char *path, bool may_write, int wait_ms,
                                bnn_err *err) {
  return bnn_sql_open(db, path, &(bnn_sql_options){.may_write = may_write, .wait_ms = wait_ms},
                      err);
}

/* Runs a statement without rows. */
static void run(bnn_sql *db, const char *text) {
  bnn_sql_query *q = NULL;
  size_t used = 0;
  bool row = true;
  ck_succeeds(bnn_sql_prepare(&q, db, text, strlen(text), &used, &err));
  ck_succeeds(bnn_sql_step(q, &row, &err));
  ck_assert(!row);
  bnn_sql_finish(q);
}

START_TEST(values_come_back_as_they_were_bound) {
  if (!bnn_sql_version()) return;
  static const bnn_sql_value given[] = {
      {.kind = BNN_SQL_INTEGER, .integer = INT64_MIN},
      {.kind = BNN_SQL_REAL, .real = 5e-324},
      {.kind = BNN_SQL_TEXT, .text = "a\0b", .length = 3},
      {.kind = BNN_SQL_TEXT, .text = "", .length = 0},
      {.kind = BNN_SQL_NULL},
  };
  enum { N = sizeof given / sizeof *given };
  static const char text[] = "SELECT $1 AS one, $2, $3, $4, $5";
  bnn_sql *db = NULL;
  bnn_sql_query *q = NULL;
  size_t used = 0;
  bool row = false;
  ck_succeeds(open_database(&db, database(), true, 0, &err));
  ck_succeeds(bnn_sql_prepare(&q, db, text, strlen(text), &used, &err));
  ck_assert_uint_eq(used, strlen(text));
  ck_assert_int_eq(bnn_sql_parameters(q), N);
  ck_assert_int_eq(bnn_sql_columns(q), N);
  ck_assert_str_eq(bnn_sql_name(q, 0), "one");
  for (int i = 0; i < N; i++) ck_succeeds(bnn_sql_bind(q, i + 1, &given[i], &err));
  ck_succeeds(bnn_sql_step(q, &row, &err));
  ck_assert(row);
  for (int i = 0; i < N; i++) {
    bnn_sql_value v = bnn_sql_column(q, i);
    ck_assert_int_eq(v.kind, given[i].kind);
    ck_assert_int_eq(v.integer, given[i].integer);
    ck_assert(v.real == given[i].real);
    ck_assert_uint_eq(v.length, given[i].length);
    ck_assert(v.length == 0 || memcmp(v.text, given[i].text, v.length) == 0);
  }
  ck_succeeds(bnn_sql_step(q, &row, &err));
  ck_assert(!row);
  bnn_sql_finish(q);
  bnn_sql_close(db);
}
END_TEST

START_TEST(faults_are_named) {
  bnn_sql *db = NULL;
  bnn_sql_query *q = NULL;
  size_t used = 0;
  if (!bnn_sql_version()) {
    ck_refuses(open_database(&db, database(), true, 0, &err), BNN_EIO, "without SQLite");
    return;
  }
  ck_refuses(open_database(&db, database(), false, 0, &err), BNN_EIO, "a?b#c%.db: unable to open");
  ck_refuses(open_database(&db, "/nowhere/x.db", true, 0, &err), BNN_EIO, "/nowhere/x.db: ");
  ck_succeeds(open_database(&db, database(), true, 0, &err));
  ck_refuses(bnn_sql_prepare(&q, db, "SELEC", 5, &used, &err), BNN_EDATA, "syntax error");
  ck_refuses(bnn_sql_prepare(&q, db, "SELECT x", 8, &used, &err), BNN_EDATA, "no such column: x");
  ck_succeeds(bnn_sql_prepare(&q, db, "-- nothing", 10, &used, &err));
  ck_assert_ptr_null(q);
  bnn_sql_finish(q);
  bnn_sql_close(db);
}
END_TEST

START_TEST(who_waits_for_another_gives_up_when_the_time_is_over) {
  if (!bnn_sql_version()) return;
  bnn_sql *one = NULL, *other = NULL;
  bnn_sql_query *q = NULL;
  size_t used = 0;
  bool row = false;
  static const char insert[] = "INSERT INTO t VALUES (1)";
  ck_succeeds(open_database(&one, database(), true, 20, &err));
  ck_succeeds(open_database(&other, database(), true, 20, &err));
  run(one, "CREATE TABLE t (x)");
  run(one, "BEGIN IMMEDIATE");
  ck_succeeds(bnn_sql_prepare(&q, other, insert, strlen(insert), &used, &err));
  ck_refuses(bnn_sql_step(q, &row, &err), BNN_EBUSY, "locked");
  bnn_sql_finish(q);
  run(one, "COMMIT");
  run(other, insert);
  bnn_sql_close(other);
  bnn_sql_close(one);
}
END_TEST

static bnn_sql_query *prepared(bnn_sql *db, const char *text) {
  bnn_sql_query *q = NULL;
  size_t used = 0;
  ck_succeeds(bnn_sql_prepare(&q, db, text, strlen(text), &used, &err));
  ck_assert_uint_eq(used, strlen(text));
  return q;
}

/* The first column of the only row. */
static int64_t number_of(bnn_sql *db, const char *text) {
  bool row = false;
  bnn_sql_query *q = prepared(db, text);
  ck_succeeds(bnn_sql_step(q, &row, &err));
  ck_assert(row);
  const int64_t number = bnn_sql_column(q, 0).integer;
  ck_succeeds(bnn_sql_step(q, &row, &err));
  ck_assert(!row);
  bnn_sql_finish(q);
  return number;
}

START_TEST(a_statement_that_is_kept_sees_new_tables) {
  if (!bnn_sql_version()) return;
  static const char all[] = "SELECT * FROM t";
  bnn_sql *db = NULL, *other = NULL;
  bool row = false;
  ck_succeeds(open_database(&db, database(), true, 0, &err));
  ck_succeeds(open_database(&other, database(), true, 0, &err));
  run(db, "CREATE TABLE t (x)");
  run(db, "INSERT INTO t VALUES (7)");
  ck_assert_int_eq(number_of(db, all), 7);
  run(other, "ALTER TABLE t ADD COLUMN y");
  bnn_sql_query *q = prepared(db, all);
  ck_succeeds(bnn_sql_step(q, &row, &err));
  ck_assert_int_eq(bnn_sql_columns(q), 2);
  ck_assert_str_eq(bnn_sql_name(q, 1), "y");
  bnn_sql_finish(q);
  run(other, "DROP TABLE t");
  q = prepared(db, all);
  ck_refuses(bnn_sql_step(q, &row, &err), BNN_EDATA, "no such table");
  bnn_sql_finish(q);
  bnn_sql_close(other);
  bnn_sql_close(db);
}
END_TEST

/* More texts than are kept, each several times, and one within itself. */
START_TEST(statements_are_kept_and_forgotten) {
  if (!bnn_sql_version()) return;
  bnn_sql *db = NULL;
  bool row = false;
  char text[32];
  ck_succeeds(open_database(&db, database(), true, 0, &err));
  for (int k = 0; k < 300; k++) {
    snprintf(text, sizeof text, "SELECT %d + 0", k % 100 < 50 ? k % 100 : k % 3);
    ck_assert_int_eq(number_of(db, text), k % 100 < 50 ? k % 100 : k % 3);
  }
  bnn_sql_query *outer = prepared(db, "SELECT 1 UNION SELECT 2");
  ck_succeeds(bnn_sql_step(outer, &row, &err));
  bnn_sql_query *inner = prepared(db, "SELECT 1 UNION SELECT 2");
  ck_assert_ptr_ne(inner, outer);
  bnn_sql_finish(inner);
  ck_succeeds(bnn_sql_step(outer, &row, &err));
  ck_assert(row && bnn_sql_column(outer, 0).integer == 2);
  bnn_sql_close(db); /* with a query that is in use */
  bnn_sql_finish(outer);
}
END_TEST

START_TEST(a_parameter_with_a_number_is_for_that_value) {
  if (!bnn_sql_version()) return;
  bnn_sql *db = NULL;
  ck_succeeds(open_database(&db, database(), true, 0, &err));
  bnn_sql_query *q = prepared(db, "SELECT $3, $1, $3, $x, ?, $99999, $0");
  static const int want[] = {3, 1, 3, 4, 5, 6}; /* $3, $1, $x, ?, $99999, $0 as they come */
  ck_assert_int_eq(bnn_sql_parameters(q), 6);
  for (int i = 1; i <= 6; i++) ck_assert_int_eq(bnn_sql_value_number(q, i), want[i - 1]);
  bnn_sql_finish(q);
  bnn_sql_close(db);
}
END_TEST

START_TEST(what_was_bound_is_forgotten) {
  if (!bnn_sql_version()) return;
  static const bnn_sql_value seven = {.kind = BNN_SQL_INTEGER, .integer = 7};
  bnn_sql *db = NULL;
  bool row = false;
  ck_succeeds(open_database(&db, database(), true, 0, &err));
  for (int k = 0; k < 2; k++) {
    bnn_sql_query *q = prepared(db, "SELECT $1");
    if (k == 0) ck_succeeds(bnn_sql_bind(q, 1, &seven, &err));
    ck_succeeds(bnn_sql_step(q, &row, &err));
    ck_assert_int_eq(bnn_sql_column(q, 0).kind, k == 0 ? BNN_SQL_INTEGER : BNN_SQL_NULL);
    bnn_sql_finish(q);
  }
  bnn_sql_close(db);
}
END_TEST

/* The child leaves the parent's database alone, with its log. */
START_TEST(a_forked_child_may_close_and_not_use_it) {
  if (!bnn_sql_version()) return;
  bnn_sql *db = NULL;
  ck_succeeds(open_database(&db, database(), true, 0, &err));
  ck_assert_int_eq(number_of(db, "SELECT 5"), 5);
  pid_t child = fork();
  if (child == 0) {
    bnn_sql_query *q = NULL;
    size_t used;
    const bool refused = bnn_sql_prepare(&q, db, "SELECT 5", 8, &used, NULL) == BNN_EIO;
    bnn_sql_close(db);
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  ck_assert_int_eq(number_of(db, "SELECT 5"), 5);
  bnn_sql_close(db);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_test(tests, values_come_back_as_they_were_bound);
  tcase_add_test(tests, faults_are_named);
  tcase_add_test(tests, a_statement_that_is_kept_sees_new_tables);
  tcase_add_test(tests, statements_are_kept_and_forgotten);
  tcase_add_test(tests, a_parameter_with_a_number_is_for_that_value);
  tcase_add_test(tests, what_was_bound_is_forgotten);
  tcase_add_test(tests, a_forked_child_may_close_and_not_use_it);
  tcase_add_test(tests, who_waits_for_another_gives_up_when_the_time_is_over);
}

int main(void) { return run_suite("sql", add_tests); }
