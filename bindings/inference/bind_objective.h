/* bind_objective.h - objectives, and what a step of one is given. */
#ifndef BIND_OBJECTIVE_H
#define BIND_OBJECTIVE_H

#include <lua.h>

#include "inference/objective.h"

/* A step as Lua asks for it.  What it points to is Lua's, and stays while the arguments do. */
typedef struct bind_step {
  bnn_objective *o;
  bool *is_busy; /* set while a lane makes it: another step of the objective raises */
  size_t n_params;
  bnn_train_state train;
  bnn_batch batch;
  bnn_step_args args;
  bnn_rate rates[BNN_UPDATER_RULES_MAX]; /* for args, while it is made */
} bind_step;

/* The arguments objective, state, lr, data_size, noise, posterior, tensors, rows, from, count, key, beta from
 * `arg` on; a copy of a beta by tensor is left on the stack. */
bind_step bind_check_step(lua_State *L, int arg);

/* Makes it. */
bnn_status bind_run_step(const bind_step *step, bnn_context *context, double *loss, bnn_err *err);

/* What a step ends with: pushes the loss; or nil and a message for what the data or the training brought
 * about (not a number, a label out of range); misuse raises.  Returns how many. */
int bind_step_result(lua_State *L, bnn_status status, double loss, const bnn_err *err);

void bind_open_objective(lua_State *L);

#endif
