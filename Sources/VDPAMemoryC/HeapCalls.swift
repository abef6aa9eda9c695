// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CVDPAMemory
internal import VDPAMemory

// A heap's control plane; take and give are in C (datapath.c).

@c @implementation
public func vdm_heap_create(
    _ handle: OpaquePointer?, _ given: UnsafePointer<vdm_heap_options>?,
    _ heap: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        let target = try output(heap)
        let wanted = try DMAHeapOptions(options(given, default: vdm_heap_options()))
        let made = try library { () throws(DMAError) in
            try SharedDMAHeap(domain, options: wanted)
        }
        // Safe: the object that the handle holds keeps it.
        unsafe target.pointee = try makeHandle(
            made, CVDM_KIND_HEAP, fast: UnsafeMutableRawPointer(made.datapath))
    }
}

extension DMAHeapOptions {
    fileprivate init(_ given: vdm_heap_options) throws(CallError) {
        self.init()
        if given.extent_byte_count != 0 { extentByteCount = try count(given.extent_byte_count) }
        if given.initial_byte_count != 0 { initialByteCount = try count(given.initial_byte_count) }
        if given.extent_capacity != 0 { extentCapacity = Int(given.extent_capacity) }
        if given.granule_byte_count != 0 { granuleByteCount = Int(given.granule_byte_count) }
        lowWaterMark = try count(given.low_water_mark)
    }
}

@c @implementation
public func vdm_heap_destroy(_ handle: OpaquePointer?) -> CInt {
    call { () throws(CallError) in
        _ = try takeObject(handle, CVDM_KIND_HEAP, as: SharedDMAHeap.self)
    }
}

@c @implementation
public func vdm_heap_grow(_ handle: OpaquePointer?, _ byteCount: UInt64) -> CInt {
    onHeap(handle) { (heap) throws(CallError) in
        let wanted = try count(byteCount)
        try library { () throws(DMAError) in try heap.grow(byteCount: wanted) }
    }
}

@c @implementation
public func vdm_heap_trim(
    _ handle: OpaquePointer?, _ keeping: UInt32, _ freed: UnsafeMutablePointer<Int>?
) -> CInt {
    onHeap(handle) { (heap) throws(CallError) in
        let target = try output(freed)
        unsafe target.pointee = try library { () throws(DMAError) in
            try heap.trim(keeping: Int(keeping))
        }
    }
}

@c @implementation
public func vdm_heap_get_statistics(
    _ handle: OpaquePointer?, _ statistics: UnsafeMutablePointer<vdm_heap_statistics>?
) -> CInt {
    onHeap(handle) { (heap) throws(CallError) in
        let known = heap.statistics
        var told = vdm_heap_statistics()
        told.byte_count = UInt64(known.byteCount)
        told.free_byte_count = UInt64(known.freeByteCount)
        told.largest_free_byte_count = UInt64(known.largestFreeByteCount)
        told.wasted_byte_count = UInt64(known.wastedByteCount)
        told.blocks = UInt64(known.blocks)
        told.extents = UInt64(known.extents)
        try answer(told, into: statistics)
    }
}

@safe
private func onHeap(
    _ handle: OpaquePointer?, _ body: (SharedDMAHeap) throws(CallError) -> Void
) -> CInt {
    call { () throws(CallError) in
        try body(try object(handle, CVDM_KIND_HEAP, as: SharedDMAHeap.self))
    }
}
