/* op.c - finding an op, checking a call of it, and running it at once. */
#include "op.h"

#include <stdio.h>
#include <string.h>

#include "../kernels/isa.h"
#include "../kernels/isa_rows.h"

#define X(name, runs) extern const bnn_op *const bnn_op_table_##name[BNN_OP_COUNT];
BNN_ISA_ROWS(X)
#undef X

const bnn_op *bnn_op_get(bnn_op_id id) {
  static const bnn_op *const *const tables[] = {
#define X(name, runs) bnn_op_table_##name,
      BNN_ISA_ROWS(X)
#undef X
  };
  return tables[bnn_isa_get()->set][id];
}

bool bnn_op_find(bnn_op_id *out, const char *name) {
  static const char *const names[] = {
#define X(name) #name,
#include "ops.def"
#undef X
  };
  for (int id = 0; id < BNN_OP_COUNT; id++)
    if (strcmp(names[id], name) == 0) {
      *out = (bnn_op_id)id;
      return true;
    }
  return false;
}

/* The name of input i, as the op's doc has it in "name(a, b): ..."; for a list, "tensor 3". */
typedef struct arg_name {
  char s[32];
} arg_name;

static arg_name name_of_input(const bnn_op *op, int i) {
  arg_name name = {""};
  if (op->arity < 0) {
    snprintf(name.s, sizeof name.s, "tensor %d", i + 1);
    return name;
  }
  const char *at = op->doc + strlen(op->name) + 1;
  for (; i > 0; i--) at += strcspn(at, ",") + 2;
  snprintf(name.s, sizeof name.s, "%.*s", (int)strcspn(at, ",)["), at);
  return name;
}

static bnn_status check_count(const bnn_op *op, int n, bnn_err *err) {
  const int most = op->arity + op->optional;
  if (op->arity >= 0 && (n < op->arity || n > most))
    return op->optional
               ? bnn_fail(err, BNN_ERANGE, "expected %d to %d inputs, got %d", op->arity, most, n)
               : bnn_fail(err, BNN_ERANGE, "expected %d inputs, got %d", op->arity, n);
  if (n < 1 || n > BNN_ARITY_MAX)
    return bnn_fail(err, BNN_ERANGE, "expected 1 to %d tensors, got %d", BNN_ARITY_MAX, n);
  return BNN_OK;
}

bnn_status bnn_op_refuse_type(const char *name, bnn_dtype found, bnn_err *err) {
  const char *real = bnn_dtype_name(BNN_REAL);
  return bnn_fail(err, BNN_ETYPE, "%s: expected %s, got %s: %s:real() converts", name, real,
                  bnn_dtype_name(found), name);
}

static bool is_float(bnn_dtype dtype) { return dtype == BNN_F32 || dtype == BNN_F64; }

/* Integers of one type, for an op that computes with them. */
static bnn_status check_integers(const bnn_op *op, const bnn_shape *x, int n, bnn_err *err) {
  for (int i = 0; i < n; i++)
    if (is_float(x[i].dtype)) /* the other one is what can be converted */
      return bnn_op_refuse_type(name_of_input(op, i ? 0 : 1).s, x[i ? 0 : 1].dtype, err);
  for (int i = 1; i < n; i++)
    if (x[i].dtype != x[0].dtype)
      return bnn_fail(err, BNN_ETYPE, "%s: expected %s, as %s is, got %s: :to(\"%s\") converts",
                      name_of_input(op, i).s, bnn_dtype_name(x[0].dtype), name_of_input(op, 0).s,
                      bnn_dtype_name(x[i].dtype), bnn_dtype_name(x[0].dtype));
  return BNN_OK;
}

static bnn_status check_dtypes(const bnn_op *op, const bnn_shape *x, int n, bnn_err *err) {
  if (op->integers || op->any_numbers) return BNN_OK;
  bool whole = false;
  for (int i = 0; i < n; i++) whole = whole || !is_float(x[i].dtype);
  if (op->arithmetic && whole) return check_integers(op, x, n, err);
  for (int i = 0; i < n; i++)
    if (x[i].dtype != BNN_REAL) return bnn_op_refuse_type(name_of_input(op, i).s, x[i].dtype, err);
  return BNN_OK;
}

static bnn_status infer(bnn_shape *y, const bnn_op *op, const bnn_shape *x, int n,
                        const bnn_attr *attr, bnn_err *err) {
  BNN_TRY(check_count(op, n, err));
  BNN_TRY(check_dtypes(op, x, n, err));
  return op->infer(y, x, n, attr, err);
}

bnn_status bnn_op_infer(bnn_shape *y, bnn_op_id id, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  const bnn_op *op = bnn_op_get(id);
  bnn_shape shape;
  bnn_status status = infer(&shape, op, x, n, attr ? attr : &op->defaults, err);
  if (status != BNN_OK) return bnn_fail_within(err, status, "%s", op->name);
  *y = shape;
  return BNN_OK;
}

static void unref_all(bnn_tensor **x, int n) {
  for (int i = 0; i < n; i++) bnn_tensor_unref(x[i]);
}

/* in[i]: x[i] itself where it is contiguous, else a copy; the caller's to unref. */
static bnn_status take_inputs(bnn_tensor **in, bnn_tensor *const *x, int n, bnn_err *err) {
  for (int i = 0; i < n; i++) {
    bnn_status status = bnn_tensor_contiguous(&in[i], x[i], err);
    if (status == BNN_OK) continue;
    unref_all(in, i);
    return status;
  }
  return BNN_OK;
}

/* Contiguous inputs and a result of the shape y. */
static bnn_status compute(bnn_tensor **out, const bnn_op *op, const bnn_shape *y,
                          bnn_tensor *const *x, int n, const bnn_attr *attr, bnn_err *err) {
  if (op->alias) return bnn_tensor_view(out, x[0], y->rank, y->dim, err);
  const bnn_tensor *const *in = (const bnn_tensor *const *)x;
  if (op->verify) {
    bnn_status status = op->verify(in, n, attr, err);
    if (status != BNN_OK) return bnn_fail_within(err, status, "%s", op->name);
  }
  bnn_tensor *result;
  BNN_TRY(bnn_tensor_new(&result, y->dtype, y->rank, y->dim, err));
  op->forward(result, in, n, attr);
  *out = result;
  return BNN_OK;
}

bnn_status bnn_op_run(bnn_tensor **out, bnn_op_id id, bnn_tensor *const *x, int n,
                      const bnn_attr *attr, bnn_err *err) {
  const bnn_op *op = bnn_op_get(id);
  bnn_shape shape[BNN_ARITY_MAX], y;
  bnn_tensor *in[BNN_ARITY_MAX];
  if (!attr) attr = &op->defaults;
  for (int i = 0; i < n && i < BNN_ARITY_MAX; i++) shape[i] = bnn_shape_of(x[i]);
  BNN_TRY(bnn_op_infer(&y, id, shape, n, attr, err));
  BNN_TRY(take_inputs(in, x, n, err));
  bnn_status status = compute(out, op, &y, in, n, attr, err);
  unref_all(in, n);
  return status;
}
