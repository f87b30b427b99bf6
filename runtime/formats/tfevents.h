/* tfevents.h - what TensorBoard's event files are made of, but for the messages' own fields, which
 * scripts put together: records with their checksums, and histograms of tensors.
 *
 * A record is u64 length, u32 masked CRC of these 8 bytes, the event, u32 masked CRC of the event, all
 * little-endian (tensorflow/core/lib/io/record_writer.h).  The CRC is CRC-32C (Castagnoli; RFC 3720,
 * appendix B.4), masked as rotr(crc, 15) + 0xa282ead8. */
#ifndef BNN_TFEVENTS_H
#define BNN_TFEVENTS_H

#include <stdint.h>

#include "../base/status.h"
#include "../files/bytes.h"
#include "../tensor/tensor.h"

/* CRC-32C of n bytes. */
uint32_t bnn_crc32c(const void *p, size_t n);

/* Adds the record of an event of n bytes to *out.  ENOMEM. */
bnn_status bnn_tfevents_record(bnn_bytes *out, const void *event, size_t n, bnn_err *err);

/* Adds the fields of a HistogramProto of the finite elements of x, a real tensor of any strides:
 * min, max, num, sum, sum of squares, and counts by buckets whose limits grow by 1.1 from 1e-12
 * outwards on either side of 0, those outside of the range left out (tensorflow/core/lib/histogram);
 * numbers of one sign within a factor of 20 are counted in 50 equal buckets from min to max.
 * *finite: how many elements those are.  ETYPE, ENOMEM. */
bnn_status bnn_tfevents_histogram(bnn_bytes *out, bnn_tensor *x, size_t *finite, bnn_err *err);

#endif
