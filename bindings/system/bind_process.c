/* bind_process.c - another program, given text on its standard input; what it prints comes back.
 *
 * There is no shell: the words are the program's arguments as they are.  Input goes through a
 * socket, so that a program which does not read it to the end costs an error and not a SIGPIPE.
 * Whatever happens (an interrupt, no memory, the time is over), the program is killed and waited
 * for.  Another way to run one is to become it: exec_program. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2, environ */
#endif
#include "bind_process.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../base/bind_signal.h"
#include "../tensor/bind_argument.h"
#include "base/mem.h"
#include "bind_system.h"
#include "files/bytes.h"

enum {
  IN = STDIN_FILENO,
  OUT = STDOUT_FILENO,
  ERR = STDERR_FILENO,
  STREAMS,
  TICK_MS = 100, /* a signal that came just before poll is seen after this */
  BLOCK = 16384
};

typedef struct process {
  pid_t pid; /* 0: not started, or waited for */
  int ours[STREAMS], theirs[STREAMS];
  bnn_bytes got[STREAMS]; /* of OUT and ERR */
  const char *input;
  size_t left; /* of input */
  int status;  /* as waitpid gives it */
} process;

/* ---- starting and ending ---- */

static void close_end(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void close_ends(int fd[STREAMS]) {
  for (int i = 0; i < STREAMS; i++) close_end(&fd[i]);
}

/* Waits for the program's end; an interrupt kills it first. */
static void wait_for(process *p) {
  while (p->pid > 0 && waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR)
    if (bind_signal_pending()) kill(p->pid, SIGKILL);
  p->pid = 0;
}

static void release(void *box) {
  process *p = box;
  close_ends(p->ours);
  close_ends(p->theirs);
  if (p->pid > 0) kill(p->pid, SIGKILL);
  wait_for(p);
  for (int i = 0; i < STREAMS; i++) bnn_bytes_free(&p->got[i]);
  bnn_mem_free(p);
}

/* Off 0, 1 and 2, which the program's own ends become: a caller may have closed them. */
static bool move_up(int *fd) {
  if (*fd > STDERR_FILENO) return true;
  int high = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close_end(fd);
  *fd = high;
  return high >= 0;
}

static bool connect_stream(process *p, int stream) {
  int ends[2]; /* to read from, to write to */
  bool made = stream == IN ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0
                           : pipe2(ends, O_CLOEXEC) == 0;
  if (!made) return false;
  p->ours[stream] = ends[stream == IN];
  p->theirs[stream] = ends[stream != IN];
  return move_up(&p->ours[stream]) && move_up(&p->theirs[stream]);
}

/* The environment with LC_ALL=C, since what a program prints is read and what it reads has points
 * in its numbers; NULL: no memory.  The strings are environ's. */
static char **plain_environment(void) {
  static char all[] = "LC_ALL=C";
  size_t n = 0, kept = 1;
  while (environ[n]) n++;
  char **plain = bnn_mem_zalloc(n + 2, sizeof *plain);
  if (!plain) return NULL;
  plain[0] = all;
  for (size_t i = 0; i < n; i++)
    if (strncmp(environ[i], "LC_ALL=", strlen("LC_ALL=")) != 0) plain[kept++] = environ[i];
  return plain;
}

/* Gives 0 or the reason why not, as errno has it. */
static int start(process *p, char *const words[]) {
  for (int i = 0; i < STREAMS; i++)
    if (!connect_stream(p, i)) return errno;
  posix_spawn_file_actions_t actions;
  int reason = posix_spawn_file_actions_init(&actions);
  if (reason != 0) return reason;
  for (int i = 0; reason == 0 && i < STREAMS; i++)
    reason = posix_spawn_file_actions_adddup2(&actions, p->theirs[i], i);
  pid_t pid = 0;
  char **environment = plain_environment();
  if (reason == 0 && !environment) reason = ENOMEM;
  if (reason == 0) reason = posix_spawnp(&pid, words[0], &actions, NULL, words, environment);
  bnn_mem_free(environment);
  posix_spawn_file_actions_destroy(&actions);
  if (reason == 0) p->pid = pid;
  close_ends(p->theirs);
  return reason;
}

/* ---- while it runs ---- */

static void send_some(process *p) {
  ssize_t n = send(p->ours[IN], p->input, p->left, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  p->input += n > 0 ? n : 0;
  p->left -= n > 0 ? (size_t)n : 0;
  if (n < 0 || p->left == 0) close_end(&p->ours[IN]); /* all sent, or it reads no more */
}

static bnn_status receive_some(process *p, int stream, bnn_err *err) {
  char block[BLOCK];
  ssize_t n = read(p->ours[stream], block, sizeof block);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return BNN_OK;
  if (n > 0) return bnn_bytes_add(&p->got[stream], block, (size_t)n, err);
  close_end(&p->ours[stream]);
  return BNN_OK;
}

/* Moves what there is to move, once. */
static bnn_status turn(process *p, bnn_err *err) {
  struct pollfd ends[STREAMS];
  for (int i = 0; i < STREAMS; i++)
    ends[i] = (struct pollfd){.fd = p->ours[i], .events = i == IN ? POLLOUT : POLLIN};
  if (poll(ends, STREAMS, TICK_MS) <= 0) return BNN_OK;
  if (ends[IN].revents) send_some(p);
  for (int i = OUT; i < STREAMS; i++)
    if (ends[i].revents) BNN_TRY(receive_some(p, i, err));
  return BNN_OK;
}

/* Until the program has closed its outputs.  ESTOP: interrupted.  EIO: the time is over. */
static bnn_status converse(process *p, double seconds, bnn_err *err) {
  double end = bind_ticks() + seconds;
  if (p->left == 0) close_end(&p->ours[IN]);
  while (p->ours[OUT] >= 0 || p->ours[ERR] >= 0) {
    BNN_TRY(turn(p, err));
    if (bind_signal_pending()) return bnn_fail(err, BNN_ESTOP, "a program that was run");
    if (bind_ticks() > end) return bnn_fail(err, BNN_EIO, "took more than %g s", seconds);
  }
  return BNN_OK;
}

/* ---- Lua ---- */

/* The words of the list at arg, for as long as the list has them; at least one. */
static const char **check_words(lua_State *L, int arg) {
  size_t n;
  const char **words = bind_check_strings(L, arg, arg, "words", &n);
  bind_argcheck(L, n > 0, arg, "expected the name of a program, got none");
  return words;
}

static process *new_process(lua_State *L, void **held) {
  process *p = *held = bnn_mem_zalloc(1, sizeof *p);
  if (!p) bind_error(L, "out of memory: a program to run");
  for (int i = 0; i < STREAMS; i++) p->ours[i] = p->theirs[i] = -1;
  return p;
}

static void push_outcome(lua_State *L, const process *p) {
  static const char *const names[STREAMS] = {[OUT] = "output", [ERR] = "errors"};
  lua_createtable(L, 0, 3);
  for (int i = OUT; i < STREAMS; i++) {
    lua_pushlstring(L, p->got[i].n ? (const char *)p->got[i].p : "", p->got[i].n);
    lua_setfield(L, -2, names[i]);
  }
  bool was_killed = WIFSIGNALED(p->status);
  lua_pushinteger(L, was_killed ? WTERMSIG(p->status) : WEXITSTATUS(p->status));
  lua_setfield(L, -2, was_killed ? "signal" : "status");
}

static int refuse_program(lua_State *L, const char *program, const char *why, bool missing) {
  bind_refuse_with(L, "%s: %s", program, why);
  if (missing) lua_pushliteral(L, "missing");
  return missing ? 3 : 2;
}

static int core_run_program(lua_State *L) {
  bnn_err err;
  size_t length;
  lua_settop(L, 3);
  const char *input = luaL_optlstring(L, 2, "", &length);
  double seconds = luaL_optnumber(L, 3, (double)INFINITY);
  const char **words = check_words(L, 1);
  void **held = bind_push_holder(L, release);
  process *p = new_process(L, held);
  p->input = input;
  p->left = length;
  int reason = start(p, (char *const *)words);
  bnn_status status = reason ? BNN_OK : converse(p, seconds, &err);
  if (!reason && status == BNN_OK) {
    wait_for(p);
    push_outcome(L, p);
  }
  *held = NULL;
  release(p);
  if (!reason && status == BNN_OK) return 1;
  if (reason) return refuse_program(L, words[0], strerror(reason), reason == ENOENT);
  bind_signal_raise_if_pending(L);
  if (status == BNN_EIO) return refuse_program(L, words[0], err.text, false);
  return bind_error(L, "%s: %s", bnn_status_text(status), err.text);
}

/* exec_program(words): what this program wrote is written out first. */
static int core_exec_program(lua_State *L) {
  const char **words = check_words(L, 1);
  fflush(NULL);
  execvp(words[0], (char *const *)words);
  return refuse_program(L, words[0], strerror(errno), errno == ENOENT);
}

static const bind_row rows[] = {
    {"run_program", core_run_program,
     "run_program(words [, input [, seconds]]): runs a program without a shell and waits for its "
     "end\n"
     "words: {program, argument, ...}; input: its standard input; seconds: the time limit\n"
     "Returns {output=, errors=, status=} (signal= instead of status if a signal killed it); or\n"
     "nil, message if it cannot be started (and \"missing\" if there is no such program) or\n"
     "exceeds the limit."},
    {"exec_program", core_exec_program,
     "exec_program(words): another program takes the place of this one, with its streams and its\n"
     "process number. Returns only if it cannot be started: nil, message (and \"missing\")."},
    {NULL, NULL, NULL},
};

void bind_open_process(lua_State *L) { bind_register(L, "bnn.core.", rows); }
