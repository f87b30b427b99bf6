/* program_nodes.h - the inside of a program, shared by program.c (recording) and frame.c
 * (replaying). */
#ifndef BNN_PROGRAM_NODES_H
#define BNN_PROGRAM_NODES_H

#include "program.h"

typedef enum node_what { NODE_INPUT, NODE_CONSTANT, NODE_OP } node_what;

typedef struct node {
  node_what what;
  bnn_shape shape;
  bnn_input_kind kind;  /* inputs: what they are, */
  size_t offset;        /* and where a parameter lies in the flat buffer */
  bnn_tensor *constant; /* constants: a reference */
  bnn_op_id id;         /* ops */
  const bnn_op *op;
  bnn_attr attr;
  size_t first_edge; /* its inputs are edges[first_edge .. first_edge + n_in) */
  int n_in;
  int root;     /* the node whose memory this one is: itself but for an alias */
  bool live;    /* an output needs it */
  bool rows;    /* axis 0 is the batch, and rows do not meet */
  bool batched; /* axis 0 is as long as the batch and can be cut, also where rows meet elsewhere */
  bool by_rows; /* an op whose row i depends on row i of those of its inputs that are batched */
  bool grad;    /* backward computes the gradient with respect to it */
} node;

/* One of the ops that read a node, or a view of it: node `by`, as its input k. */
typedef struct reader {
  int by, k;
} reader;

struct bnn_program {
  atomic_size_t refs;
  bool finished, has_rows, gradient;
  node *nodes;
  size_t n_nodes, nodes_capacity;
  int *edges;
  size_t n_edges, edges_capacity;
  int *outputs, *wrt;
  int n_outputs, n_wrt;
  size_t batch;
  bool has_batch;                /* an input with rows says what `batch` is */
  size_t params_from, params_to; /* where in the flat buffer parameters lie */
  const char *mixed;
  /* What finish makes, so that no one looks for it among all nodes.  Of node i that is its own root:
   * views[view_at[i] .. view_at[i + 1]) are the nodes that share its memory, itself first; and
   * readers[reader_at[i] .. reader_at[i + 1]) the ops with a gradient that read one of these, in
   * order.  No others have any. */
  size_t *view_at, *reader_at; /* [n_nodes + 1] */
  int *views;                  /* [n_nodes] */
  reader *readers;
};

static inline const int *node_inputs(const bnn_program *p, const node *v) {
  return p->edges + v->first_edge;
}

/* Walks over what finish made: `for (const reader *r = first_reader(p, i); r < end; r++)`. */
static inline const reader *first_reader(const bnn_program *p, size_t i) {
  return p->readers + p->reader_at[i];
}
static inline const reader *end_of_readers(const bnn_program *p, size_t i) {
  return p->readers + p->reader_at[i + 1];
}

/* An op that computes: not an alias. */
static inline bool node_computes(const node *v) { return v->what == NODE_OP && !v->op->alias; }

#endif
