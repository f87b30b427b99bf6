/* bnn.h - the whole runtime for C programs: include this and link libbnn.a, zlib, libm, libdl
 * and the optional libraries of the build (`bnnlua --version` names them).
 *
 * A folder is a room, and each room may include only rooms below it (the README.md in each says
 * what it holds).  The headers included here are the public ones.
 *
 *   inference   batches, posteriors, a training step in one call, averages over sampled networks
 *   augment     examples changed at random while a batch is gathered
 *   program     recorded computations, and their replay for every slice of an input (vmap)
 *   fused       passes that do several stages of a step at once
 *   families    families of posteriors: a row each in families.def
 *   rules       update rules: a row each in rules.def
 *   densities   probability densities, as ops and as priors of weights
 *   ops         the op table: a row each in ops.def
 *   gp          Gaussian processes, Cholesky factors
 *   metrics     bootstrap, rankings, AUROC to AURC, ECE and temperature, NLL and Brier
 *   tables      text tables, standardised columns
 *   formats     IDX, .npy, .npz, PNG, JSON, safetensors, event files
 *   images      generated digits and letters, pictures of characters, shifted images
 *   files       gzip, atomic writes, memory maps, SHA-256, downloads
 *   kernels     instruction sets, matrix products, draws from a key; noise and vec hold the loops
 *   tensor      arrays, shapes, keys, fingerprints
 *   base        errors as values, the only allocator, threads and the stop flag, numbers as text
 *
 * tests/bench/bench_step.c trains a network with nothing else. */
#ifndef BNN_BNN_H
#define BNN_BNN_H

#include "augment/augment.h"
#include "augment/augmentation.h"
#include "augment/resample.h"
#include "base/context.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/status.h"
#include "batches/batch.h"
#include "densities/density.h"
#include "families/family.h"
#include "files/digest.h"
#include "files/fetch.h"
#include "formats/idx.h"
#include "formats/safetensors.h"
#include "fused/fused.h"
#include "gp/gp.h"
#include "inference/estimator.h"
#include "inference/objective.h"
#include "inference/posterior.h"
#include "inference/posterior_mixture.h"
#include "inference/predict.h"
#include "inference/update.h"
#include "inference/updater.h"
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
