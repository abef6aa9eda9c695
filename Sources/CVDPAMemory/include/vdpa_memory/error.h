/* Codes, their texts, and the detail of the last error. Include <vdpa_memory.h>. */
#ifndef VDPA_MEMORY_ERROR_H
#define VDPA_MEMORY_ERROR_H

#include "base.h"

/* Every code: X(name, number, what it means, what helps). The numbers never change; more may come,
 * so keep a default case. The library's Swift errors have the same numbers. */
#define VDM_CODES(X)                                                                               \
	X(INVALID_ARGUMENT, -1, "a size, alignment or option that can never work",                \
	  "correct the argument")                                                                 \
	X(NO_SUCH_REGION, -2, "no region has this ID: freed already, or of another domain",       \
	  "keep IDs with their domain, and forget them when they are freed")                      \
	X(OUTSIDE_RANGE, -3, "the range reaches outside what the device can address",             \
	  "stay inside the domain's range, or let the library choose the place")                  \
	X(OVERLAP, -4, "the range meets another region or a reservation",                         \
	  "free what is there first, or place the region elsewhere")                              \
	X(NO_SPACE, -5, "no hole of the IOVA space fits",                                         \
	  "free regions, flush, ask for less alignment or a wider window")                        \
	X(REGION_CAPACITY, -6, "as many regions live as the domain was made for",                 \
	  "make the domain with a larger region capacity")                                        \
	X(UNSUITABLE_MEMORY, -7, "the caller's memory is not what the device's mapping needs",    \
	  "use shared, file-backed memory (memfd, MAP_SHARED) that stays mapped")                 \
	X(HEAP_CAPACITY, -8, "the heap has all the extents that it was made for",                 \
	  "make the heap with a larger capacity, or another heap")                                \
	X(ENTRY_LIMIT, -20, "more entries of the kernel's table than there are",                  \
	  "use larger pages or shared extents, or raise vhost_vdpa's max_iotlb_entries")          \
	X(LOCKED_MEMORY_LIMIT, -21, "more locked memory than RLIMIT_MEMLOCK allows",              \
	  "raise the limit (ulimit -l, LimitMEMLOCK=)")                                           \
	X(HOST_MEMORY, -22, "the host has not the pages that were asked for",                     \
	  "reserve hugepages on that node, or allow smaller pages or other nodes")                \
	X(DEVICE_UNAVAILABLE, -40, "the device file could not be opened or taken over",           \
	  "see that the path is right, permitted, and open nowhere else")                         \
	X(NOT_OWNER, -41, "another process owns the device, or this one is a forked child",       \
	  "open the device in the process that uses it")                                          \
	X(ADDRESS_SPACE, -42, "the address space does not exist, or another domain has it",       \
	  "ask the device how many it has, and give each domain its own")                         \
	X(NOT_SUPPORTED, -43, "the device or this kernel does not have the operation",            \
	  "look for another way, or a newer kernel")                                              \
	X(DEVICE_GONE, -44, "the device is gone, or its file is closed",                          \
	  "close what uses it, and open it again when it is back")                                \
	X(KERNEL_REFUSED, -45, "the kernel refused, and none of the known reasons holds",         \
	  "see the kernel's log; the detail has the errno")                                       \
	X(UNSAFE_CONTROL, -46, "an operation that would let the device reach what it must not",   \
	  "stop or reset the queue first, or correct the addresses")                              \
	X(QUEUES_ENABLED, -47, "the domain was told to map nothing while queues are enabled",     \
	  "disable the queues first, or map up front")                                            \
	X(CLOSED, -60, "the domain is closed", "make a new domain on the device")                 \
	X(UNDO_INCOMPLETE, -61, "a failed batch could not be undone in full",                     \
	  "remap the domain, or close the device")                                                \
	X(CANCELLED, -62, "the caller asked for it", "nothing has happened")                      \
	X(BAD_HANDLE, -80, "a handle that is null, stale, or of another kind",                    \
	  "use handles that a call has returned, until they are closed")                          \
	X(NULL_ARGUMENT, -81, "a pointer that must not be null is",                               \
	  "give the address of what is asked for")                                                \
	X(WRONG_THREAD, -82, "the object is in use by another thread, or belongs to it",          \
	  "use one object a thread, or the shared form")                                          \
	X(TOO_SMALL, -83, "the storage given is too small for the answer",                        \
	  "give as much as the call says it needs")                                               \
	X(EXHAUSTED, -84, "a pool or heap has nothing left",                                      \
	  "give back, or let the control plane grow it")                                          \
	X(NOT_MAPPED, -85, "part of the range is not mapped, or not contiguously",                \
	  "translate it piece by piece, or register the memory first")

#define VDM_CODE_NUMBER(name, number, text, remedy) VDM_E_##name = number,
enum vdm_code {
	VDM_OK = 0,
	VDM_CODES(VDM_CODE_NUMBER)
	VDM_E_UNKNOWN = -32768 /* no call returns it; ends the list */
};
#undef VDM_CODE_NUMBER

VDM_BEGIN

/* Which of a detail's figures mean something. */
enum vdm_detail_flag {
	VDM_DETAIL_RANGE = 1,
	VDM_DETAIL_FIGURES = 2,
	VDM_DETAIL_OPERATION = 4
};

/* What is known about an error. The strings are the library's, valid on this thread until its next
 * call that fails. */
typedef struct vdm_error_detail {
	size_t size; /* sizeof this; set by the caller */
	int32_t code;
	/* What the kernel answered, or what the rule means in errno's terms; 0 for a code of C's. */
	int32_t system_errno;
	uint32_t flags; /* enum vdm_detail_flag */
	/* Which operation of a batch was refused, counted from 0. */
	uint32_t operation;
	/* The range that was asked for. */
	vdm_range range;
	/* What the request needs and what there is: entries, bytes or regions. */
	uint64_t needed;
	uint64_t limit;
	const char *message; /* what happened, with the figures */
	const char *remedy;  /* what to do about it, one sentence */
} vdm_error_detail;

/* A code's text, and what helps, in general terms; "unknown code" for others. Static strings. */
VDM_API const char *vdm_strerror(int code);
VDM_API const char *vdm_remedy(int code);

/* The detail of this thread's last call that failed; code 0 where none has.
 * Errors: VDM_E_NULL_ARGUMENT, VDM_E_INVALID_ARGUMENT (size). System calls: none. */
VDM_API int vdm_last_error(vdm_error_detail *detail);

/* The message and the remedy of this thread's last error in one line; "" where there was none. */
VDM_API const char *vdm_last_message(void);

VDM_END

#endif
