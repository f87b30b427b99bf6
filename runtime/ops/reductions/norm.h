/* norm.h - what the normalising ops share: their inputs are x, a gain and a bias, and eps. */
#ifndef BNN_OPS_NORM_H
#define BNN_OPS_NORM_H

#include "../op_help.h"

/* ESHAPE unless gain and bias, x[1] and x[2], are [d]; ERANGE unless eps is finite and not below 0. */
static inline bnn_status norm_check(const bnn_shape *x, size_t d, const bnn_attr *attr,
                                    bnn_err *err) {
  static const char *const name[] = {"x", "gain", "bias"};
  for (int i = 1; i < 3; i++)
    if (x[i].rank != 1 || x[i].dim[0] != d)
      return bnn_fail(err, BNN_ESHAPE, "%s: expected [%zu] for x %s, got %s", name[i], d,
                      BNN_SHAPE(&x[0]), BNN_SHAPE(&x[i]));
  if (!(attr->number[0] >= 0) || isinf(attr->number[0]))
    return bnn_fail(err, BNN_ERANGE, "eps: expected a number of 0 or more, got %g",
                    attr->number[0]);
  return BNN_OK;
}

#endif
