internal import CVDPAMemory
internal import VDPAMemory

extension DMADomainOptions {
    init(_ given: vdm_domain_options) throws(CallError) {
        self.init()
        let known = [
            VDM_DOMAIN_DETECT_WRITES_AFTER_FREE, VDM_DOMAIN_RAISE_LOCKED_MEMORY,
            VDM_DOMAIN_DEFERRED_UNMAPPING,
        ].reduce(0) { $0 | $1.rawValue }
        let flags = unsafe given.flags
        try requireKnown(flags, known)
        let capacity = unsafe given.region_capacity
        if capacity != 0 { regionCapacity = try count(capacity) }
        detectsWritesAfterFree = flags & VDM_DOMAIN_DETECT_WRITES_AFTER_FREE.rawValue != 0
        raisesLockedMemoryLimit = flags & VDM_DOMAIN_RAISE_LOCKED_MEMORY.rawValue != 0
        if let window = unsafe given.window?.pointee { self.window = try window.range() }
        if unsafe given.reserved_count > 0 {
            guard let first = unsafe given.reserved else { throw CallError(VDM_E_NULL_ARGUMENT) }
            for index in 0..<Int(unsafe given.reserved_count) {
                reserved.append(try unsafe first[index].range())
            }
        }
        if flags & VDM_DOMAIN_DEFERRED_UNMAPPING.rawValue != 0 {
            unmapping = unsafe deferred(given)
        }
        if let observer = unsafe given.observer {
            self.observer = unsafe DMADomainOptions.observer(observer, given.observer_context)
        }
    }
}

/// 0 stands for no limit.
private func deferred(_ given: vdm_domain_options) -> DMADomainOptions.Unmapping {
    let bytes = unsafe given.maximum_deferred_bytes
    let extents = unsafe given.maximum_deferred_extents
    let age = unsafe given.maximum_deferred_nanoseconds
    return .deferred(
        maximumBytes: bytes == 0 ? .max : bytes,
        maximumExtents: extents == 0 ? .max : Int(clamping: extents),
        maximumAge: age == 0 ? nil : .nanoseconds(Int64(clamping: age)))
}

extension DMADomainOptions {
    fileprivate static func observer(
        _ function: @escaping vdm_observer, _ context: UnsafeMutableRawPointer?
    ) -> @Sendable (DMAEvent) -> Void {
        // Safe to send: the header says that several threads may call at once.
        nonisolated(unsafe) let context = unsafe context
        nonisolated(unsafe) let function = unsafe function
        return { event in
            var told = vdm_event(event)
            unsafe function(context, &told)
        }
    }
}

extension vdm_event {
    fileprivate init(_ event: DMAEvent) {
        self.init()
        size = MemoryLayout<vdm_event>.size
        switch event {
        case .mapped(let range): set(VDM_EVENT_MAPPED, range)
        case .unmapped(let range): set(VDM_EVENT_UNMAPPED, range)
        case .quarantined(let range): set(VDM_EVENT_QUARANTINED, range)
        case .flushed(let extents, let bytes):
            set(VDM_EVENT_FLUSHED)
            count = UInt64(extents)
            byte_count = bytes
        case .refused(let code, let needed, let limit):
            set(VDM_EVENT_REFUSED)
            self.code = code.rawValue
            count = needed ?? 0
            byte_count = limit ?? 0
        case .writtenAfterFree(let iova):
            set(VDM_EVENT_WRITTEN_AFTER_FREE, IOVARange(first: iova, last: iova))
        case .attached: set(VDM_EVENT_ATTACHED)
        case .detached: set(VDM_EVENT_DETACHED)
        case .remapped: set(VDM_EVENT_REMAPPED)
        case .leaked(let usage):
            set(VDM_EVENT_LEAKED)
            count = UInt64(usage.regions)
            byte_count = usage.byteCount
        }
    }

    private mutating func set(_ kind: vdm_event_kind, _ range: IOVARange? = nil) {
        self.kind = kind.rawValue
        if let range { self.range = vdm_range(range) }
    }
}
