/* bind_jobs.h - child processes that run a function of ours: what they send, how they end. */
#ifndef BIND_JOBS_H
#define BIND_JOBS_H

#include <lua.h>
#include <sys/types.h>

#include "bind_link.h"

/* Pushes a job that has no process yet, and opens the link to it; *theirs: the child's end.  Gives 0;
 * or errno, and nothing is pushed. */
int bind_jobs_push(lua_State *L, bind_link *theirs);

/* The job on top of the stack is that of a process, which has been started. */
void bind_jobs_started(lua_State *L, pid_t pid);

/* In the child of a fork: the parent's jobs are not ours to hear, to kill or to wait for. */
void bind_jobs_forget_parent(void);

void bind_open_jobs(lua_State *L);

#endif
