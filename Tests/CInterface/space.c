/* The IOVA space alone, from C. */
#include "check.h"

int main(void)
{
	vdm_range usable = {0x1000, 0xffffffff}, range;
	vdm_space_handle handle, second;
	vdm_space *space;
	REQUIRE(vdm_space_create(usable, 1000, &space) == VDM_OK);
	vdm_range low = {0, 0xfffff};
	CHECK(vdm_space_reserve(space, low) == VDM_OK);
	REQUIRE(vdm_space_allocate(space, 10000, NULL, &range, &handle) == VDM_OK);
	CHECK(range.first >= 0x100000 && range.last - range.first == 12287);
	vdm_space_entry entry;
	CHECK(vdm_space_look_up(space, range.first + 9999, &entry) == VDM_OK);
	CHECK(entry.kind == VDM_ENTRY_REGION && entry.range.first == range.first);
	CHECK(entry.handle.slot == handle.slot && entry.handle.generation == handle.generation);
	CHECK(vdm_space_look_up(space, range.last + 1, &entry) == VDM_OK);
	CHECK(entry.kind == VDM_ENTRY_HOLE);
	CHECK(vdm_space_look_up(space, 0x2000, &entry) == VDM_OK);
	CHECK(entry.kind == VDM_ENTRY_RESERVATION);
	CHECK(vdm_space_look_up(space, 0x100000000, &entry) == VDM_OK);
	CHECK(entry.kind == VDM_ENTRY_UNUSABLE);

	vdm_space_request request = VDM_SPACE_REQUEST_INIT;
	request.place = 1; /* VDM_PLACE_FIXED */
	request.place_first = range.first;
	CHECK(vdm_space_allocate(space, 4096, &request, &range, &second) == VDM_E_OVERLAP);
	request.place = 0;
	request.alignment = 1 << 30;
	CHECK(vdm_space_allocate(space, 4096, &request, &range, &second) == VDM_OK);
	CHECK(range.first % (1 << 30) == 0);
	CHECK(vdm_space_free_at(space, range.first) == VDM_OK);
	CHECK(vdm_space_free(space, second) == VDM_E_NO_SUCH_REGION);
	request.alignment = 3;
	CHECK(vdm_space_allocate(space, 4096, &request, &range, &second) ==
	      VDM_E_INVALID_ARGUMENT);
	CHECK(vdm_space_allocate(space, 1ULL << 32, NULL, &range, &second) == VDM_E_NO_SPACE);

	vdm_space_statistics statistics;
	statistics.size = sizeof(statistics);
	CHECK(vdm_space_get_statistics(space, &statistics) == VDM_OK);
	CHECK(statistics.regions == 1 && statistics.used_bytes == 12288);
	CHECK(vdm_space_free(space, handle) == VDM_OK);
	CHECK(vdm_space_cancel_reservation(space, low) == VDM_OK);
	CHECK(vdm_space_cancel_reservation(space, low) == VDM_E_NO_SUCH_REGION);
	vdm_range wrong = {5, 4};
	CHECK(vdm_space_reserve(space, wrong) == VDM_E_INVALID_ARGUMENT);
	CHECK(vdm_space_destroy(space) == VDM_OK);
	return finish();
}
