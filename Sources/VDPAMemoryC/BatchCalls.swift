// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CVDPAMemory
internal import VDPAMemory

@c @implementation
public func vdm_batch(
    _ handle: OpaquePointer?, _ operations: UnsafeMutablePointer<vdm_operation>?, _ number: Int
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        guard number != 0 else { return }
        guard number > 0 else { throw CallError(VDM_E_INVALID_ARGUMENT) }
        let list = try unsafe UnsafeMutableBufferPointer(
            start: output(operations), count: number)
        // All of them are understood before the first is done.
        var steps: [Step] = []
        steps.reserveCapacity(number)
        for index in 0..<number { steps.append(try unsafe Step(list[index])) }
        let made = unsafe try library { () throws(DMAError) in
            let ids = try domain.batch { batch throws(DMAError) in
                var ids: [RegionID?] = []
                for step in steps { ids.append(try step.add(to: &batch)) }
                return ids
            }
            return unsafe try answers(domain, ids, steps)
        }
        for index in 0..<number {
            if let region = unsafe made[index] { unsafe list[index].region = region }
        }
    }
}

/// What the batch has made. A region that a later operation of it has freed is answered as none.
private func answers(
    _ domain: DMADomain, _ ids: [RegionID?], _ steps: [Step]
) throws(DMAError) -> [vdm_region?] {
    var regions: [vdm_region?] = unsafe []
    for (id, step) in zip(ids, steps) {
        guard let id, step.makesRegion else {
            unsafe regions.append(nil)
            continue
        }
        unsafe regions.append(vdm_region(id, try domain.info(id)))
    }
    return unsafe regions
}

/// One operation as Swift has it.
@safe
private enum Step {
    case allocate(Int, AllocationOptions)
    case register(UnsafeMutableRawBufferPointer, RegionWishes)
    case free(RegionID, force: Bool)

    init(_ operation: vdm_operation) throws(CallError) {
        switch unsafe operation.kind {
        case VDM_OPERATION_ALLOCATE.rawValue:
            self = unsafe .allocate(
                try count(operation.byte_count), try RegionWishes(operation.options).allocation)
        case VDM_OPERATION_REGISTER.rawValue:
            self = unsafe .register(
                try externalMemory(operation.address, operation.byte_count),
                try RegionWishes(operation.options))
        case VDM_OPERATION_FREE.rawValue:
            try requireKnown(unsafe operation.flags, VDM_FREE_FORCE.rawValue)
            self = unsafe .free(
                operation.region.id.id, force: operation.flags & VDM_FREE_FORCE.rawValue != 0)
        default: throw CallError(VDM_E_INVALID_ARGUMENT)
        }
    }

    var makesRegion: Bool {
        if case .free = self { false } else { true }
    }

    func add(to batch: inout DMABatch) throws(DMAError) -> RegionID? {
        switch self {
        case .allocate(let byteCount, let options):
            return try batch.allocate(byteCount: byteCount, options: options)
        case .register(let memory, let wanted):
            return try unsafe batch.register(
                memory, at: wanted.placement, access: wanted.access, isolation: wanted.isolation,
                tag: wanted.allocation.tag)
        case .free(let id, let force):
            try batch.free(id, force: force)
            return nil
        }
    }
}
