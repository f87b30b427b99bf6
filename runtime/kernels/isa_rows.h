/* isa_rows.h - the instruction sets of this binary: a row is X(name, whether this processor runs it).
 * Who holds a table for each set (isa.c, ops/op.c) has it in this order. */
#ifndef BNN_ISA_ROWS_H
#define BNN_ISA_ROWS_H

/* Best first.  __builtin_cpu_supports asks the processor and whether the system saves its
 * registers. */
#ifdef BNN_HAVE_X86_ISAS
#define BNN_ISA_ROWS(X)                                                                     \
  X(avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&      \
                __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && \
                __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))            \
  X(avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))                  \
  X(baseline, 1)
#else
#define BNN_ISA_ROWS(X) X(baseline, 1)
#endif

#endif
