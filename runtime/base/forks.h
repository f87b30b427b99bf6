/* forks.h - which process this is, among those that one program has become by fork. */
#ifndef BNN_FORKS_H
#define BNN_FORKS_H

/* Forks between the first process that asked and this one.  What belongs to a process (its threads,
 * an open database) notes it when it is made and compares it later: another number says that the
 * threads are not here, and that the file is the parent's to close. */
unsigned bnn_forks(void);

#endif
