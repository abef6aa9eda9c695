#define _GNU_SOURCE
#include "cvirtiodriver.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int cvd_event(void)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return event < 0 ? -errno : event;
}

int cvd_signal(int event)
{
	uint64_t one = 1;
	return write(event, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

int cvd_clear(int event)
{
	uint64_t count;
	return read(event, &count, sizeof(count)) == sizeof(count);
}

int cvd_wait(int event, int milliseconds)
{
	struct pollfd file = { .fd = event, .events = POLLIN };
	int ready = poll(&file, 1, milliseconds);
	/* A signal ends the wait early; the caller looks at the ring and waits again. */
	return ready < 0 ? (errno == EINTR ? 0 : -errno) : ready;
}

uint64_t cvd_nanoseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
