/* bnn.h - the whole runtime for a C program: include this, link libbnn.a, zlib, libm, libdl
 * and the optional libraries that it was built with (`bnnlua --version` names them).
 *
 * A folder is a room, and rooms know only those below them:
 *
 *   inference   rows of a data set, posteriors, a training step in one call, averages over sampled
 *               networks
 *   program     recorded computations, a program for every slice
 *   densities   probability densities, as ops and as priors of weights
 *   ops         the op table
 *   fused       families and rules that have one pass over memory for several stages of a step
 *   families    families of posteriors: point, meanfield
 *   rules       update rules: adam, sgd
 *   metrics     resamples of a metric, scores in order with ties together, AUROC to AURC, ECE and
 *               temperature, NLL and Brier
 *   tables      columns standardised
 *   formats     IDX files; safetensors: tensors by name in a file, as Python reads it
 *   files       SHA-256 of a file, downloads that are checked by it
 *   kernels     instruction sets, draws from a key; noise and vec are the loops under them
 *   tensor      arrays, shapes, keys, fingerprints
 *   base        errors as values, the one allocator, threads and the stop flag, numbers as text
 *
 * tests/bench/bench_step.c trains a network with nothing else. */
#ifndef BNN_BNN_H
#define BNN_BNN_H

#include "base/context.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/status.h"
#include "densities/density.h"
#include "families/family.h"
#include "files/digest.h"
#include "files/fetch.h"
#include "formats/idx.h"
#include "formats/safetensors.h"
#include "fused/fused.h"
#include "inference/batch.h"
#include "inference/objective.h"
#include "inference/posterior.h"
#include "inference/predict.h"
#include "inference/update.h"
#include "kernels/isa.h"
#include "kernels/rng.h"
#include "metrics/bootstrap.h"
#include "metrics/calibration.h"
#include "metrics/rank_metrics.h"
#include "metrics/ranking.h"
#include "metrics/scoring.h"
#include "ops/op.h"
#include "program/program.h"
#include "program/vmap.h"
#include "rules/rule.h"
#include "tables/columns.h"
#include "tensor/fingerprint.h"
#include "tensor/key.h"
#include "tensor/shape.h"
#include "tensor/tensor.h"

#endif
