#ifndef CPROBE_H
#define CPROBE_H

#include <stdint.h>

/* Allocations of the whole process since it began: calls of malloc, calloc, realloc and the aligned
 * ones, which this library stands in for. */
uint64_t cprobe_allocations(void);

/* From here on every system call ends this thread's process with SIGSYS, but for write, exit and
 * exit_group. 0, or an errno. */
int cprobe_forbid_system_calls(void);

/* Runs `body` in a child made by fork(2): what it answers, or 256 plus the signal that ended it. */
int cprobe_in_child(int (*body)(int), int argument);

#endif
