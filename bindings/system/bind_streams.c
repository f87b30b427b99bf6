/* bind_streams.c - see bind_streams.h. */
#include "bind_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

/* Opened the wrong way round, as glibc does for setuid programs: a read or write gives EBADF, as on
 * a closed descriptor, where /dev/null would swallow results without a word. */
static bool open_descriptor(int fd) {
  if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) return true;
  return open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == fd;
}

static void on_file_limit(int sig) { (void)sig; }

/* Who starts us may ignore it, and then the system forgets how a child has ended. */
static void hear_of_children(void) {
  struct sigaction before;
  if (sigaction(SIGCHLD, NULL, &before) == 0 && before.sa_handler == SIG_IGN)
    signal(SIGCHLD, SIG_DFL);
}

/* A handler and not SIG_IGN, which programs that are started would inherit. */
static void catch_file_limit(void) {
  struct sigaction action = {.sa_handler = on_file_limit, .sa_flags = SA_RESTART}, before;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGXFSZ, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
    sigaction(SIGXFSZ, &action, NULL);
}

bool bind_streams_open(void) {
  catch_file_limit();
  hear_of_children();
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (!open_descriptor(fd)) return false;
  return true;
}

bool bind_streams_flush(void) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return true;
  /* A write that failed earlier has taken its reason with it; the next one fails alike. */
  if (errno == 0 && write(STDOUT_FILENO, "\n", 1) == 1) errno = EIO;
  return false;
}
