/* test_sql_text.c - passwords in URLs are found, statements end where PostgreSQL says they do. */
#include "store/sql_text.h"

#include <string.h>

#include "store/sql.h"
#include "support.h"

static const struct {
  const char *url;
  bool has_password;
} urls[] = {
    {"postgresql://host/db", false},
    {"postgresql://user@host:5432/db?sslmode=require", false},
    {"postgresql://[::1]:5432/db", false},
    {"postgresql://host/db?application_name=a:b@c", false},
    {"postgresql:///db?host=/run/pg:1&user=me", false},
    {"postgresql://host/db?passfile=/home/me/.pgpass&service=x", false},
    {"postgres://user:secret@host/db", true},
    {"postgresql://user:@host/db", true},
    {"postgresql://:secret@host", true},
    {"postgresql://user:se?cret@host/db", true},
    {"postgresql://user:p%40ss@host1,host2/db", true},
    {"postgresql://host/db?password=secret", true},
    {"postgresql://host/db?user=me&password=", true},
    {"postgresql://host/db?pass%77ord=secret", true},
    {"postgresql://host/db?PASSWORD=secret", true},
    {"postgresql://host?sslpassword=secret", true},
    {"postgresql://host/db?oauth_client_secret=x", true},
    {"postgresql://host/db?%", false},
    {"postgresql://", false},
};

START_TEST(a_password_in_a_url_is_found) {
  ck_assert_msg(bnn_sql_url_has_password(urls[_i].url) == urls[_i].has_password, "%s",
                urls[_i].url);
}
END_TEST

static const struct {
  const char *text, *first; /* NULL: the whole */
  bool is_empty;
  long parameter;
} texts[] = {
    {"", NULL, true, 0},
    {" \t\n-- no; thing", NULL, true, 0},
    {";SELECT 1", ";", true, 0},
    {"SELECT 1; ", "SELECT 1;", false, 0},
    {"SELECT $1, $12 + $2", NULL, false, 12},
    {"SELECT '$9;' || ';''$8' || $1", NULL, false, 1},
    {"SELECT E'\\'; $9', $2", NULL, false, 2},
    {"SELECT '\\'; SELECT $9", "SELECT '\\';", false, 0},
    {"SELECT \"a;$9\"\";\" FROM t", NULL, false, 0},
    {"SELECT $$;$9$$, $a_1$;$$ $9 $a_1$, $3", NULL, false, 3},
    {"SELECT a$1 FROM t", NULL, false, 0},
    {"SELECT name'; $9'", NULL, false, 0},
    {"SELECT 1 /* ; /* $9 */ ; */ + $4; x", "SELECT 1 /* ; /* $9 */ ; */ + $4;", false, 4},
    {"SELECT 1 -- ; $9\n + $5", NULL, false, 5},
    {"SELECT 1 - -$6", NULL, false, 6},
    {"SELECT 4 / $7", NULL, false, 7},
    {"SELECT 'open; $9", NULL, false, 0},
    {"SELECT E'open\\", NULL, false, 0},
    {"SELECT $q$ open; $9 $q", NULL, false, 0},
    {"/* open; /* */", NULL, true, 0},
    {"SELECT $", NULL, false, 0},
    {"SELECT $99999999999999999999", NULL, false, 2147483647},
    {"SELECT '\xc3\xbc;', \xc3\xbc$9", NULL, false, 0},
};

START_TEST(a_statement_ends_at_its_semicolon) {
  const char *text = texts[_i].text, *first = texts[_i].first ? texts[_i].first : text;
  bnn_sql_extent extent = bnn_sql_first_statement(text, strlen(text));
  ck_assert_msg(extent.used == strlen(first), "%s: %zu bytes", text, extent.used);
  ck_assert_msg(extent.is_empty == texts[_i].is_empty, "%s", text);
  ck_assert_msg(extent.parameter == texts[_i].parameter, "%s: $%ld", text, extent.parameter);
}
END_TEST

START_TEST(a_url_is_told_from_a_path) {
  ck_assert(bnn_sql_is_url("postgresql://host/db"));
  ck_assert(bnn_sql_is_url("postgres://"));
  ck_assert(!bnn_sql_is_url("postgresql:/host/db"));
  ck_assert(!bnn_sql_is_url("runs/postgresql://host"));
  ck_assert(!bnn_sql_is_url("runs.db"));
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, a_password_in_a_url_is_found, 0, sizeof urls / sizeof *urls);
  tcase_add_loop_test(tests, a_statement_ends_at_its_semicolon, 0, sizeof texts / sizeof *texts);
  tcase_add_test(tests, a_url_is_told_from_a_path);
}

int main(void) { return run_suite("sql_text", add_tests); }
