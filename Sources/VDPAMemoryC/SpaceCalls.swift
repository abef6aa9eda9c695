// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CVDPAMemory
internal import IOVAAllocator
internal import VDPAMemory

@c @implementation
public func vdm_space_create(
    _ usable: vdm_range, _ regionCapacity: UInt64, _ space: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
    call { () throws(CallError) in
        let target = try output(space)
        let (range, capacity) = (try usable.range(), try count(regionCapacity))
        let box: SpaceBox
        do throws(IOVASpaceError) {
            box = SpaceBox(try IOVASpace(usable: [range], regionCapacity: capacity))
        } catch {
            throw .library(DMAError(error))
        }
        unsafe target.pointee = try makeHandle(box, CVDM_KIND_SPACE)
    }
}

@c @implementation
public func vdm_space_destroy(_ handle: OpaquePointer?) -> CInt {
    call { () throws(CallError) in
        _ = try takeObject(handle, CVDM_KIND_SPACE, as: SpaceBox.self)
    }
}

@c @implementation
public func vdm_space_allocate(
    _ handle: OpaquePointer?, _ byteCount: UInt64, _ request: UnsafePointer<vdm_space_request>?,
    _ range: UnsafeMutablePointer<vdm_range>?, _ named: UnsafeMutablePointer<vdm_space_handle>?
) -> CInt {
    onSpace(handle) { (box) throws(CallError) in
        let target = try output(range)
        let name = try output(named)
        let given = try options(request, default: vdm_space_request())
        let place = try given.placement()
        let alignment = given.alignment == 0 ? 4096 : given.alignment
        let made = try box.enter { space throws(IOVASpaceError) in
            try space.allocate(byteCount: byteCount, alignment: alignment, placement: place)
        }
        unsafe target.pointee = vdm_range(made.range)
        unsafe name.pointee = vdm_space_handle(made.handle)
    }
}

extension vdm_space_request {
    fileprivate func placement() throws(CallError) -> IOVAPlacement {
        let order: IOVASearchOrder
        switch search {
        case VDM_SEARCH_LOWEST.rawValue: order = .any
        case VDM_SEARCH_HIGHEST.rawValue: order = .highest
        case VDM_SEARCH_BEST_FIT.rawValue: order = .bestFit
        default: throw CallError(VDM_E_INVALID_ARGUMENT)
        }
        switch place {
        case VDM_PLACE_ANYWHERE.rawValue: return .anywhere(order)
        case VDM_PLACE_FIXED.rawValue: return .fixed(IOVA(place_first))
        case VDM_PLACE_WITHIN.rawValue:
            return .within(try vdm_range(first: place_first, last: place_last).range(), order)
        default: throw CallError(VDM_E_INVALID_ARGUMENT)
        }
    }
}

extension vdm_space_handle {
    fileprivate init(_ handle: IOVAHandle) {
        self.init(slot: handle.slot, generation: handle.generation)
    }
}

@c @implementation
public func vdm_space_free(_ handle: OpaquePointer?, _ region: vdm_space_handle) -> CInt {
    onSpace(handle) { (box) throws(CallError) in
        _ = try box.enter { space throws(IOVASpaceError) in
            try space.free(IOVAHandle(slot: region.slot, generation: region.generation))
        }
    }
}

@c @implementation
public func vdm_space_free_at(_ handle: OpaquePointer?, _ first: UInt64) -> CInt {
    onSpace(handle) { (box) throws(CallError) in
        _ = try box.enter { space throws(IOVASpaceError) in
            try space.free(startingAt: IOVA(first))
        }
    }
}

@c @implementation
public func vdm_space_reserve(_ handle: OpaquePointer?, _ range: vdm_range) -> CInt {
    onSpace(handle) { (box) throws(CallError) in
        let reserved = try range.range()
        try box.enter { space throws(IOVASpaceError) in
            try space.reserve(reserved, fixedPlacement: .guarded)
        }
    }
}

@c @implementation
public func vdm_space_cancel_reservation(_ handle: OpaquePointer?, _ range: vdm_range) -> CInt {
    onSpace(handle) { (box) throws(CallError) in
        let reserved = try range.range()
        try box.enter { space throws(IOVASpaceError) in
            try space.cancelReservation(reserved, fixedPlacement: .guarded)
        }
    }
}

@c @implementation
public func vdm_space_look_up(
    _ handle: OpaquePointer?, _ address: UInt64, _ entry: UnsafeMutablePointer<vdm_space_entry>?
) -> CInt {
    onSpace(handle) { (box) throws(CallError) in
        let target = try output(entry)
        let found = try box.enter { space throws(IOVASpaceError) in
            space.entry(containing: IOVA(address))
        }
        unsafe target.pointee = vdm_space_entry(found, at: address)
    }
}

extension vdm_space_entry {
    fileprivate init(_ entry: IOVAEntry?, at address: UInt64) {
        self.init()
        guard let entry else {
            range = vdm_range(first: address, last: address)
            kind = VDM_ENTRY_HOLE.rawValue
            return
        }
        range = vdm_range(entry.range)
        kind = vdm_space_entry.kind(entry.kind).rawValue
        if let handle = entry.handle { self.handle = vdm_space_handle(handle) }
    }

    private static func kind(_ kind: IOVAEntry.Kind) -> vdm_entry_kind {
        switch kind {
        case .region: VDM_ENTRY_REGION
        case .quarantined: VDM_ENTRY_QUARANTINED
        case .guardGap: VDM_ENTRY_GUARD
        case .reserved: VDM_ENTRY_RESERVATION
        case .unusable: VDM_ENTRY_UNUSABLE
        }
    }
}

@c @implementation
public func vdm_space_get_statistics(
    _ handle: OpaquePointer?, _ statistics: UnsafeMutablePointer<vdm_space_statistics>?
) -> CInt {
    onSpace(handle) { (box) throws(CallError) in
        var told = vdm_space_statistics()
        try box.enter { space throws(IOVASpaceError) in
            told.regions = UInt64(space.regionCount)
            told.region_capacity = UInt64(space.regionCapacity)
            told.used_bytes = space.usedByteCount
            told.free_bytes = space.freeByteCount
            told.largest_hole_4kib = space.largestHole()
            told.largest_hole_2mib = space.largestHole(alignment: 2 << 20)
            told.largest_hole_1gib = space.largestHole(alignment: 1 << 30)
            told.metadata_bytes = UInt64(space.metadataByteCount)
        }
        try answer(told, into: statistics)
    }
}
