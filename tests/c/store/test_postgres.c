/* test_postgres.c - what a PostgreSQL URL gives where there is no server, or one that says nothing,
 * ends in the middle, or speaks another language.  With a server: tests/long/postgres_store_test.sh. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/sql.h"
#include "support.h"

static char url[80];
static int listener = -1;

/* A socket on a free port of this machine, and the URL of a server there; it listens or not. */
static void take_port(bool listens) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof at;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, n), 0);
  ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &n), 0);
  if (listens) ck_assert_int_eq(listen(listener, 8), 0);
  snprintf(url, sizeof url, "postgresql://bnn@127.0.0.1:%d/x?gssencmode=disable",
           ntohs(at.sin_port));
}

static void give_port_back(void) {
  if (listener >= 0) close(listener);
  listener = -1;
  ck_assert_uint_eq(bnn_mem_live(), 0);
}

/* A child that answers the first connection with these bytes, and ends. */
static pid_t answer_once(const char *bytes, size_t n) {
  pid_t child = fork();
  if (child != 0) return child;
  char got[512];
  int one = accept(listener, NULL, NULL);
  const bool spoke = recv(one, got, sizeof got, 0) > 0 && send(one, bytes, n, MSG_NOSIGNAL) >= 0;
  close(one);
  _exit(spoke ? 0 : 1);
}

static int never(void) { return 0; }
static int at_once(void) { return SIGINT; }

static bnn_status open_url(int wait_ms, int (*stopped)(void), bnn_err *err) {
  bnn_sql *db = NULL;
  bnn_sql_options options = {.may_write = true, .wait_ms = wait_ms, .stopped = stopped};
  bnn_status status = bnn_sql_open(&db, url, &options, err);
  if (status == BNN_OK) bnn_sql_close(db);
  return status;
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

START_TEST(a_password_in_a_url_is_refused_and_not_shown) {
  bnn_err why = {.text = ""};
  strcpy(url, "postgresql://bnn:secret@127.0.0.1/x");
  ck_refuses(open_url(1000, never, &err), BNN_ERANGE, "the password belongs in ~/.pgpass");
  ck_assert_int_eq(open_url(1000, never, &why), BNN_ERANGE);
  ck_assert_ptr_null(strstr(why.text, "secret"));
}
END_TEST

START_TEST(a_build_or_machine_without_libpq_says_so) {
  if (bnn_sql_client_version()) return;
  strcpy(url, "postgresql://127.0.0.1/x");
  ck_refuses(open_url(1000, never, &err), BNN_EIO, "libpq");
}
END_TEST

START_TEST(what_is_wrong_with_a_url_is_said_at_once) {
  if (!bnn_sql_client_version()) return;
  static const char *const wrong[][2] = {
      {"postgresql://127.0.0.1:99999/x", "99999"},
      {"postgresql://127.0.0.1/x?nonsense=1", "nonsense"},
      {"postgresql://[::1/x", "\"]\""},
      {"postgresql://127.0.0.1/%zz", "%zz"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    strcpy(url, wrong[i][0]);
    ck_refuses(open_url(1000, never, &err), BNN_EIO, wrong[i][1]);
  }
}
END_TEST

START_TEST(where_no_server_listens_the_text_names_host_and_port) {
  if (!bnn_sql_client_version()) return;
  take_port(false);
  bnn_err why = {.text = ""};
  const double began = seconds();
  ck_assert_int_eq(open_url(30000, never, &why), BNN_ELOST);
  ck_assert(seconds() - began < 10);
  ck_assert_ptr_nonnull(strstr(why.text, "127.0.0.1"));
  ck_assert_ptr_nonnull(strstr(why.text, "refused"));
  ck_assert_ptr_null(strchr(why.text, '\\')); /* one line, without the others' newlines */
}
END_TEST

START_TEST(a_server_that_says_nothing_costs_the_time_given) {
  if (!bnn_sql_client_version()) return;
  take_port(true);
  const double began = seconds();
  ck_refuses(open_url(1000, never, &err), BNN_ELOST, "has not answered for 1 s");
  ck_assert(seconds() - began > 0.9);
}
END_TEST

START_TEST(a_shorter_time_in_the_url_holds) {
  if (!bnn_sql_client_version()) return;
  take_port(true);
  strcat(url, "&connect_timeout=1");
  ck_refuses(open_url(600000, never, &err), BNN_ELOST, "has not answered for 1 s");
}
END_TEST

START_TEST(an_interrupt_ends_the_wait_for_a_server) {
  if (!bnn_sql_client_version()) return;
  take_port(true);
  const double began = seconds();
  ck_refuses(open_url(600000, at_once, &err), BNN_ESTOP, "interrupted");
  ck_assert(seconds() - began < 60);
}
END_TEST

/* 'E' and what is not an error message; the end of the connection; what a web server says. */
static const struct {
  const char *bytes;
  size_t n;
} answers[] = {
    {"", 0}, {"E\0\0\0\5x", 6}, {"HTTP/1.1 400 Bad Request\r\n\r\n", 28}, {"R\0\0\0\4", 5}};

START_TEST(a_server_that_ends_or_speaks_otherwise_is_lost) {
  if (!bnn_sql_client_version()) return;
  take_port(true);
  pid_t child = answer_once(answers[_i].bytes, answers[_i].n);
  strcat(url, "&sslmode=disable");
  ck_refuses(open_url(10000, never, &err), BNN_ELOST, "postgresql://bnn@127.0.0.1");
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, NULL, give_port_back);
  tcase_add_test(tests, a_password_in_a_url_is_refused_and_not_shown);
  tcase_add_test(tests, a_build_or_machine_without_libpq_says_so);
  tcase_add_test(tests, what_is_wrong_with_a_url_is_said_at_once);
  tcase_add_test(tests, where_no_server_listens_the_text_names_host_and_port);
  tcase_add_test(tests, a_server_that_says_nothing_costs_the_time_given);
  tcase_add_test(tests, a_shorter_time_in_the_url_holds);
  tcase_add_test(tests, an_interrupt_ends_the_wait_for_a_server);
  tcase_add_loop_test(tests, a_server_that_ends_or_speaks_otherwise_is_lost, 0,
                      sizeof answers / sizeof *answers);
}

int main(void) { return run_suite("postgres", add_tests); }
