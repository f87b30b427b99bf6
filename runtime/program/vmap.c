/* vmap.c - see vmap.h.  Each worker has a frame of its own and takes slices in order. */
#include "vmap.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "../base/mem.h"

typedef struct worker {
  bnn_frame *frame;
  size_t failed; /* the slice at which it stopped, when status is not OK */
  bnn_status status;
  bnn_err err;
} worker;

typedef struct work {
  const bnn_vmap_spec *spec;
  bnn_context *context;
  bnn_tensor *const *output, *const *gradient;
  worker *workers;
  size_t n_workers;
  atomic_size_t next; /* slice that no worker has taken */
} work;

/* A frame only reads its inputs. */
static void bind_input(bnn_frame *f, const bnn_vmap_input *in, size_t i) {
  bnn_frame_bind(f, in->node, (char *)(uintptr_t)in->data + i * in->step);
}

/* Slice i of `to` becomes the tensor x. */
static void store(bnn_tensor *to, size_t i, const bnn_tensor *x) {
  const size_t bytes = x->size * bnn_dtype_size(x->dtype);
  if (bytes > 0) memcpy((char *)to->data + i * bytes, x->data, bytes);
}

static bnn_status run_slice(const work *w, bnn_frame *f, size_t i, bnn_err *err) {
  const bnn_vmap_spec *spec = w->spec;
  if (bnn_context_stopped(w->context))
    return bnn_fail(err, BNN_ESTOP, "before all %zu slices were done", spec->n);
  for (int k = 0; k < spec->n_inputs; k++)
    if (spec->inputs[k].step > 0) bind_input(f, &spec->inputs[k], i);
  const bnn_stop before = bnn_context_watch(w->context);
  const bnn_status status = bnn_stop_end(before, bnn_frame_replay(f, 1, err), err);
  if (status != BNN_OK) return bnn_fail_within(err, status, "slice %zu", i + 1);
  for (int k = 0; k < spec->n_outputs; k++) store(w->output[k], i, bnn_frame_output(f, k));
  for (int k = 0; w->gradient && k < spec->n_wrt; k++)
    store(w->gradient[k], i, bnn_frame_gradient(f, spec->wrt[k]));
  return BNN_OK;
}

static void worker_job(void *data, size_t number) {
  work *w = data;
  worker *v = &w->workers[number];
  size_t i;
  while (v->status == BNN_OK && (i = atomic_fetch_add(&w->next, 1)) < w->spec->n) {
    v->status = run_slice(w, v->frame, i, &v->err);
    v->failed = i;
  }
}

/* The failure of the first slice.  Every slice before one that failed was taken by a worker that had
 * not stopped yet, so it was tried: which one is first does not depend on the threads. */
static bnn_status first_failure(const work *w, bnn_err *err) {
  const worker *first = NULL;
  for (size_t i = 0; i < w->n_workers; i++) {
    const worker *v = &w->workers[i];
    if (v->status != BNN_OK && (!first || v->failed < first->failed)) first = v;
  }
  if (!first) return BNN_OK;
  if (err) *err = first->err;
  return first->status;
}

static bnn_status make_workers(work *w, bnn_err *err) {
  w->workers = bnn_mem_zalloc(w->n_workers, sizeof *w->workers);
  if (!w->workers) return bnn_fail(err, BNN_ENOMEM, "%zu frames", w->n_workers);
  for (size_t i = 0; i < w->n_workers; i++) {
    BNN_TRY(bnn_frame_new(&w->workers[i].frame, w->spec->program, 0, err));
    for (int k = 0; k < w->spec->n_inputs; k++)
      bind_input(w->workers[i].frame, &w->spec->inputs[k], 0);
  }
  return BNN_OK;
}

bnn_status bnn_vmap(bnn_context *context, const bnn_vmap_spec *spec, bnn_tensor *const *output,
                    bnn_tensor *const *gradient, bnn_err *err) {
  if (bnn_program_flat_size(spec->program) > 0)
    return bnn_fail(err, BNN_ERANGE, "the program has parameters in a flat buffer");
  if (spec->n == 0) return BNN_OK;
  work w = {.spec = spec, .context = context, .output = output, .gradient = gradient};
  w.n_workers = (size_t)bnn_context_threads(context);
  if (w.n_workers > spec->n) w.n_workers = spec->n;
  bnn_status status = make_workers(&w, err);
  if (status == BNN_OK) {
    bnn_context_run(context, worker_job, &w, w.n_workers);
    status = first_failure(&w, err);
  }
  for (size_t i = 0; w.workers && i < w.n_workers; i++) bnn_frame_free(w.workers[i].frame);
  bnn_mem_free(w.workers);
  return status;
}
