internal import CVDPAMemory
internal import VDPAMemory

/// What C says of a region, in Swift's words.
struct RegionWishes {
    var access = DMAAccess.readWrite
    var isolation = Isolation.automatic
    var placement = Placement.anywhere
    var allocation = AllocationOptions()

    init(_ pointer: UnsafePointer<vdm_region_options>?) throws(CallError) {
        let given = unsafe try options(pointer, default: vdm_region_options())
        let known = [
            VDM_REGION_UNINITIALISED, VDM_REGION_INHERITED_BY_FORK, VDM_REGION_NOT_IN_CORE_DUMPS,
            VDM_REGION_ZEROED_WHEN_FREED, VDM_REGION_DELIBERATELY,
        ].reduce(0) { $0 | $1.rawValue }
        unsafe try requireKnown(given.flags, known)
        access = unsafe try RegionWishes.access(given.access)
        isolation = unsafe try RegionWishes.isolation(given.isolation)
        placement = unsafe try RegionWishes.placement(given)
        allocation.access = access
        allocation.isolation = isolation
        allocation.placement = placement
        if unsafe given.alignment != 0 { allocation.alignment = unsafe given.alignment }
        allocation.pages = unsafe try RegionWishes.pages(given.pages)
        allocation.node = unsafe try RegionWishes.node(given)
        if unsafe given.thread_count != 0 {
            allocation.population.threadCount = unsafe Int(given.thread_count)
        }
        if let text = unsafe given.tag { allocation.tag = unsafe RegionTag(String(cString: text)) }
        func has(_ flag: vdm_region_flag) -> Bool { unsafe given.flags & flag.rawValue != 0 }
        allocation.isUninitialised = has(VDM_REGION_UNINITIALISED)
        allocation.isInheritedByFork = has(VDM_REGION_INHERITED_BY_FORK)
        allocation.isExcludedFromCoreDumps = has(VDM_REGION_NOT_IN_CORE_DUMPS)
        allocation.isZeroedWhenFreed = has(VDM_REGION_ZEROED_WHEN_FREED)
    }

    private static func access(_ value: UInt32) throws(CallError) -> DMAAccess {
        guard value != 0 else { return .readWrite }
        guard let access = UInt8(exactly: value).flatMap(DMAAccess.init(rawValue:)) else {
            throw CallError(VDM_E_INVALID_ARGUMENT)
        }
        return access
    }

    private static func isolation(_ value: UInt32) throws(CallError) -> Isolation {
        switch value {
        case VDM_ISOLATION_AUTOMATIC.rawValue: return .automatic
        case VDM_ISOLATION_SHARED.rawValue: return .shared
        case VDM_ISOLATION_DEDICATED.rawValue: return .dedicated
        default: throw CallError(VDM_E_INVALID_ARGUMENT)
        }
    }

    private static func placement(_ given: vdm_region_options) throws(CallError) -> Placement {
        switch unsafe given.place {
        case VDM_PLACE_ANYWHERE.rawValue: return .anywhere
        case VDM_PLACE_FIXED.rawValue:
            return unsafe .fixed(
                IOVA(given.place_first),
                deliberately: given.flags & VDM_REGION_DELIBERATELY.rawValue != 0)
        case VDM_PLACE_WITHIN.rawValue:
            return unsafe .within(
                try vdm_range(first: given.place_first, last: given.place_last).range())
        case VDM_PLACE_IDENTITY.rawValue: return .identity
        default: throw CallError(VDM_E_INVALID_ARGUMENT)
        }
    }

    private static func pages(_ value: UInt32) throws(CallError) -> PagePolicy {
        switch value {
        case VDM_PAGES_LARGEST.rawValue: return .largest
        case VDM_PAGES_4KIB.rawValue: return .exactly(.size4KiB)
        case VDM_PAGES_TRANSPARENT.rawValue: return .exactly(.transparent2MiB)
        case VDM_PAGES_2MIB.rawValue: return .exactly(.size2MiB)
        case VDM_PAGES_1GIB.rawValue: return .exactly(.size1GiB)
        default: throw CallError(VDM_E_INVALID_ARGUMENT)
        }
    }

    private static func node(_ given: vdm_region_options) throws(CallError) -> NodePolicy {
        switch unsafe given.node_policy {
        case VDM_NODE_DEVICE.rawValue: return .device
        case VDM_NODE_ANY.rawValue: return .any
        case VDM_NODE_REQUIRED.rawValue: return unsafe .required(Int(given.node))
        case VDM_NODE_PREFERRED.rawValue: return unsafe .preferred(Int(given.node))
        case VDM_NODE_CALLING_THREAD.rawValue: return .callingThread
        default: throw CallError(VDM_E_INVALID_ARGUMENT)
        }
    }
}

extension vdm_region_id {
    init(_ id: RegionID) {
        self.init(table: id.table, slot: id.slot, generation: id.generation)
    }

    var id: RegionID { RegionID(table: table, slot: slot, generation: generation) }
}

extension vdm_region {
    init(_ id: RegionID, _ info: RegionInfo) {
        unsafe self.init(
            id: vdm_region_id(id), access: UInt32(info.access.rawValue), address: info.address,
            iova: info.range.first.rawValue, byte_count: info.byteCount)
    }
}
