/* Counts what held and what did not. C99 and C++. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <vdpa_memory.h>

static int passed;
static int failed;

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (condition) {                                                                   \
			passed++;                                                                  \
		} else {                                                                           \
			failed++;                                                                  \
			printf("FAILED: %s:%d: %s (last error: %s)\n", __FILE__, __LINE__,         \
			       #condition, vdm_last_message());                                    \
		}                                                                                  \
	} while (0)

/* What the rest of a test stands on. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		CHECK(condition);                                                                  \
		if (failed)                                                                        \
			exit(1);                                                                   \
	} while (0)

static inline int finish(void)
{
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}

#endif
