/* Types and marks that every part uses. Include <vdpa_memory.h>. */
#ifndef VDPA_MEMORY_BASE_H
#define VDPA_MEMORY_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
#define VDM_BEGIN extern "C" {
#define VDM_END }
#else
#define VDM_BEGIN
#define VDM_END
#endif

/* Exported from the shared library; nothing else is. */
#if defined(__GNUC__) || defined(__clang__)
#define VDM_API __attribute__((visibility("default")))
#else
#define VDM_API
#endif

/* Grows with every change of this interface: major * 10000 + minor * 100 + patch. */
#define VDM_VERSION 100

VDM_BEGIN

/* Names of objects, not addresses of anything. */
typedef struct vdm_device vdm_device;
typedef struct vdm_domain vdm_domain;
typedef struct vdm_space vdm_space;
typedef struct vdm_simulator vdm_simulator;
typedef struct vdm_pool vdm_pool;
typedef struct vdm_heap vdm_heap;
typedef struct vdm_translator vdm_translator;

/* A closed range of IOVAs. */
typedef struct vdm_range {
	uint64_t first;
	uint64_t last;
} vdm_range;

/* Names a region in its domain. All zero names none. */
typedef struct vdm_region_id {
	uint32_t table;
	uint32_t slot;
	uint32_t generation;
} vdm_region_id;

/* What the device may do. */
enum vdm_access {
	VDM_READ_ONLY = 1,
	VDM_WRITE_ONLY = 2,
	VDM_READ_WRITE = 3
};

/* The version of the library that runs, which may be newer than VDM_VERSION of the header. */
VDM_API uint32_t vdm_version(void);

/* Frees a string that a call of this library has returned for that. Null does nothing. */
VDM_API void vdm_string_free(char *string);

VDM_END

#endif
