/* Address to IOVA and back, while other threads map and unmap. Include <vdpa_memory.h>.
 *
 * Reads take no lock and make no system call: one load where the range lies in 2 MiB that one
 * region covers. An address translates if it lies in a live region, whole ranges only if they are
 * mapped in one piece; from the free of a region on it does not. */
#ifndef VDPA_MEMORY_TRANSLATOR_H
#define VDPA_MEMORY_TRANSLATOR_H

#include "base.h"

#include "cdatapath_translate.h"

VDM_BEGIN

/* A piece of memory that is contiguous for this process and for the device. */
typedef struct cdp_segment vdm_segment;

/* Makes the domain keep tables from now on. The translator outlives the domain, and finds nothing
 * then. Errors: VDM_E_HOST_MEMORY where there is no address space for them. */
VDM_API int vdm_translator_create(vdm_domain *domain, vdm_translator **translator);
VDM_API int vdm_translator_destroy(vdm_translator *translator);

/* VDM_E_NOT_MAPPED unless all `byte_count` bytes are mapped in one piece. */
VDM_API int vdm_translator_iova(vdm_translator *translator, const void *address,
				uint64_t byte_count, uint64_t *iova);
VDM_API int vdm_translator_address(vdm_translator *translator, uint64_t iova, uint64_t byte_count,
				   void **address);

/* Splits a buffer into pieces that are contiguous for the device: scatter-gather. `*count` is how
 * many there are; VDM_E_TOO_SMALL where `capacity` is less, VDM_E_NOT_MAPPED where part of the
 * buffer is not mapped. */
VDM_API int vdm_translator_segments(vdm_translator *translator, const void *address,
				    uint64_t byte_count, vdm_segment *segments, size_t capacity,
				    size_t *count);

/* What the inline functions below work on, as long as the translator is not destroyed: copy it to
 * where the loop has it. */
typedef struct vdm_tables {
	cdp_table to_iova;
	cdp_table to_address;
} vdm_tables;

VDM_API int vdm_translator_tables(vdm_translator *translator, vdm_tables *tables);

/* 1, and the IOVA, if all of the range is mapped in one piece; else 0. */
static inline int vdm_iova_of(const vdm_tables *tables, const void *address, uint64_t byte_count,
			      uint64_t *iova)
{
	cdp_translation found =
		cdp_translate(tables->to_iova, (uint64_t)(uintptr_t)address, byte_count);
	*iova = found.target;
	return found.is_found;
}

static inline int vdm_address_of(const vdm_tables *tables, uint64_t iova, uint64_t byte_count,
				 void **address)
{
	cdp_translation found = cdp_translate(tables->to_address, iova, byte_count);
	*address = (void *)(uintptr_t)found.target;
	return found.is_found;
}

VDM_END

#endif
