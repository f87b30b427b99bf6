/* half.h - the 16-bit floats of files as float, exactly. */
#ifndef BNN_HALF_H
#define BNN_HALF_H

#include <stdint.h>
#include <string.h>

/* IEEE binary16 to binary32, exactly: 5 bits of exponent (bias 15) and 10 of fraction. */
static inline float bnn_half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7fff, bits;
  float value;
  if (rest >= 0x7c00) { /* infinity or NaN */
    bits = sign | 0x7f800000 | (rest & 0x3ff) << 13;
  } else if (rest >= 0x400) {
    bits = sign | ((rest << 13) + ((127 - 15) << 23));
  } else { /* subnormal: a multiple of 2^-24 */
    value = (sign ? -0x1p-24f : 0x1p-24f) * (float)rest;
    return value;
  }
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* bfloat16, which is the upper half of a float. */
static inline float bnn_bfloat_to_float(uint16_t upper) {
  uint32_t bits = (uint32_t)upper << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

#endif
