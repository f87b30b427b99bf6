/* processors.h - how many processors there are for this process. */
#ifndef BNN_PROCESSORS_H
#define BNN_PROCESSORS_H

/* Those that it may run on (its affinity), but no more than its control groups give it time on:
 * 1 or more. */
int bnn_processors(void);

/* What the control groups of this process give, a container's or a batch system's: the least quota
 * of its own group and those above it (cpu.max, in version 1 cpu.cfs_quota_us), in processors,
 * rounded up; 0 when there is none.  root: what /proc and the mount points stand below; "" but for
 * tests. */
int bnn_processor_quota(const char *root);

#endif
