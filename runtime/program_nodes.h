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
  int root;  /* the node whose memory this one is: itself but for an alias */
  bool live; /* an output needs it */
  bool rows; /* axis 0 is the batch, and rows do not meet */
  bool grad; /* backward computes the gradient with respect to it */
} node;

struct bnn_program {
  atomic_size_t refs;
  bool finished, has_rows, gradient;
  node *nodes;
  size_t n_nodes, nodes_room;
  int *edges;
  size_t n_edges, edges_room;
  int *outputs, *wrt;
  int n_outputs, n_wrt;
  size_t batch;
  const char *mixed;
};

static inline const int *node_inputs(const bnn_program *p, const node *v) {
  return p->edges + v->first_edge;
}

/* An op that computes: not an alias. */
static inline bool node_computes(const node *v) { return v->what == NODE_OP && !v->op->alias; }

#endif
