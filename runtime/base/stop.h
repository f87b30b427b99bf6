/* stop.h - the request to end early, as the long computations of a thread see it.
 *
 * A product of a second has no context and cannot fail: between its blocks it asks bnn_stop_asked,
 * and where that is true it returns at once, its result unfinished.  So a thread is asked only while
 * it works for somebody who throws such a result away, between bnn_stop_watch and bnn_stop_end.  All
 * else, such as an update of parameters, is completed. */
#ifndef BNN_STOP_H
#define BNN_STOP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "status.h"

/* What a thread looks at, and whether it has left something unfinished because of it. */
typedef struct bnn_stop {
  const atomic_bool *flag; /* NULL: nothing ends it */
  bool cut;
} bnn_stop;

/* From now on this thread's computations look at the flag, which must outlive that.  Returns what
 * they looked at before. */
bnn_stop bnn_stop_watch(const atomic_bool *flag);

/* Goes back to what was before.  Returns `status`; ESTOP if that is OK but something is
 * unfinished. */
bnn_status bnn_stop_end(bnn_stop before, bnn_status status, bnn_err *err);

/* Whether to return now; if so, what is being computed counts as unfinished. */
bool bnn_stop_asked(void);

#endif
