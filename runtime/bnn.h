/* bnn.h - the whole runtime for a C program: include this, link libbnn.a, zlib, libm, libdl
 * and the optional libraries that it was built with (`bnnlua --version` names them).
 *
 *   status.h mem.h context.h     errors as values, the one allocator, threads and the stop flag
 *   tensor.h shape.h key.h       arrays, shapes, randomness as a value
 *   op.h isa.h program.h         the op table, instruction sets, recorded computations
 *   batch.h posterior.h          rows of a data set, the mean-field Gaussian posterior
 *   optimizer.h objective.h      update rules, a training step in one call
 *   predict.h vmap.h             averages over sampled networks, a program for every slice
 *   bootstrap.h ranking.h        resamples of a metric, scores in order with ties together
 *   rank_metrics.h calibration.h scoring.h   AUROC to AURC, ECE and temperature, NLL and Brier
 *   number.h                     numbers as text and back in any locale
 *   columns.h                    columns standardised
 *   idx.h                        IDX files
 *   digest.h fetch.h             SHA-256 of a file, downloads that are checked by it
 *   safetensors.h                tensors by name in a file, as Python reads it
 *
 * tests/bench/bench_step.c trains a network with nothing else. */
#ifndef BNN_BNN_H
#define BNN_BNN_H

#include "batch.h"
#include "bootstrap.h"
#include "calibration.h"
#include "columns.h"
#include "context.h"
#include "digest.h"
#include "fetch.h"
#include "idx.h"
#include "isa.h"
#include "key.h"
#include "mem.h"
#include "number.h"
#include "objective.h"
#include "op.h"
#include "optimizer.h"
#include "posterior.h"
#include "predict.h"
#include "program.h"
#include "rank_metrics.h"
#include "ranking.h"
#include "safetensors.h"
#include "scoring.h"
#include "shape.h"
#include "status.h"
#include "tensor.h"
#include "vmap.h"

#endif
