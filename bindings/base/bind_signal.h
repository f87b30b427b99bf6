/* bind_signal.h - Ctrl-C and the other signals that ask a program to stop, turned into Lua errors, and
 * the two error objects that end the program with one line instead of a traceback.
 *
 * Plain scripts behave as under `lua`: SIGINT raises "interrupted!" in the main state, a second
 * one kills if nothing has armed it again, and the others kill. While signal.guard(f) runs, SIGINT
 * and SIGTERM, and SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2 and SIGPIPE unless they are ignored or handled
 * already, raise an interrupt object instead, which the program turns into exit status
 * 128 + signal. A first signal raises a flag, calls the registered stop function and sets a debug
 * hook, in plain scripts too. Under guard signals within half a second are one request; SIGINT or
 * SIGTERM after that kills at once if the first is still unanswered (C code that does not return)
 * or signal.finish(f) runs, during which nothing is raised: the last checkpoint is written.  The
 * third one kills too, where a script's pcall keeps the interrupts from ending it.
 *
 * While signal.hold(f) runs nothing is raised and no C code ends early: f asks signal.take() for
 * the signal, at its leisure, and what it has not taken is raised when it ends.  The first two
 * requests are f's to answer, such as "start nothing new" and "stop all"; the third one kills, as
 * does one that finds the last not yet taken.
 *
 * Signal dispositions belong to the process.  Where several Lua states share it, those of the module
 * bnn.so, a signal goes to the state that entered the outermost guard. */
#ifndef BIND_SIGNAL_H
#define BIND_SIGNAL_H

#include <lua.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#define BIND_INTERRUPT "bnn.interrupt" /* metatable of {signal = 2, name = "SIGINT"} */
#define BIND_REFUSAL "bnn.refusal"     /* metatable of {message = "...", status = 1} */

/* Remembers the main state and thread. Call once for a state, from the thread that runs it. */
void bind_signal_init(lua_State *L);

/* lua_pcall during which SIGINT raises "interrupted!", as in the stand-alone interpreter. One that
 * comes too late for its error is dropped with the call, and the stop flag with it. */
int bind_signal_pcall(lua_State *L, int nargs, int nresults, int msgh);

/* Whether there a second SIGINT, half a second after the first or later, is answered by a warning, and
 * the third one kills: at a prompt much is lost. */
void bind_signal_warn(bool warn);

/* `stop` is called from the signal handler when a signal arrives: it must be async-signal-safe (set an atomic flag). NULL takes it back. */
void bind_signal_on_interrupt(void (*stop)(void));

/* `clear` is called when a pending signal has been taken, just before its error is raised, or has
 * been dropped: the place to lower the flag that `stop` raised. NULL takes it back. */
void bind_signal_on_clear(void (*clear)(void));

/* From a signal handler of any thread: `raise` is called, once, at the next Lua instruction of the
 * states that a signal would be raised in; it may raise an error.  False in another thread than
 * Lua's, where nothing was done: send the signal on to that one. */
bool bind_signal_raise_soon(void (*raise)(lua_State *L));

/* The thread that runs Lua. */
pthread_t bind_signal_thread(void);

/* The signal that has arrived, guarded or not, and is to be raised, or 0; and the same where it may be
 * held. */
int bind_signal_pending(void);
int bind_signal_arrived(void);

/* Raises the error of the pending signal, the interrupt object or in a plain script
 * "interrupted!", if there is one; else returns. For C functions that stop
 * early because of the stop flag. */
void bind_signal_raise_if_pending(lua_State *L);

/* The signal that signal.hold holds, which is answered herewith; 0: none, or nobody holds. */
int bind_signal_take_held(void);

/* Blocks the signals that ask for an end, and restores the mask that was before. */
void bind_signal_block(sigset_t *old);
void bind_signal_restore(const sigset_t *old);

/* In the child of a fork, with the signals blocked: what had arrived is the parent's, and so are its
 * guards; the handlers are what the outermost of those found.  L is the state that forked. */
void bind_signal_forget_parent(lua_State *L);

/* The function signal.guard. */
int bind_signal_guard(lua_State *L);

/* Pushes a refusal object; status is 1..255. */
void bind_signal_push_refusal(lua_State *L, const char *message, int status);

/* If the value at `index` is an interrupt or a refusal: pushes its one-line message and returns
 * the exit status it asks for, not 0. Else pushes nothing and returns 0. */
int bind_signal_error_status(lua_State *L, int index);

/* The signal of an interrupt object at `index`, or 0. */
int bind_signal_of(lua_State *L, int index);

/* Whether the program ends on the error at `index` without a word: its output has no reader any more
 * (`| head`), and no checkpoint was written that the user should hear of (field `checkpoint`). */
bool bind_signal_is_quiet(lua_State *L, int index);

/* require "bnn.signal": guard, hold, take, finish, pending, raise_if_pending, raise, refusal, is_interrupt, is_refusal. */
int luaopen_bnn_signal(lua_State *L);

#endif
