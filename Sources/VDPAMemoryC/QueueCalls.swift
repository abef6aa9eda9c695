// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CVDPAMemory
internal import VDPAMemory

@c @implementation
public func vdm_queue_set_size(_ device: OpaquePointer?, _ queue: UInt32, _ size: UInt32) -> CInt {
    control(device) { (device) throws(DMAError) in
        try device.setQueueSize(Int(size), ofQueue: queue)
    }
}

@c @implementation
public func vdm_queue_set_addresses(
    _ device: OpaquePointer?, _ queue: UInt32, _ addresses: UnsafePointer<vdm_ring_addresses>?
) -> CInt {
    onDevice(device) { (device) throws(CallError) in
        guard let given = unsafe addresses?.pointee else { throw CallError(VDM_E_NULL_ARGUMENT) }
        let rings = VringAddresses(
            descriptors: IOVA(given.descriptors), available: IOVA(given.available),
            used: IOVA(given.used))
        try library { () throws(DMAError) in
            try device.setRingAddresses(rings, ofQueue: queue)
        }
    }
}

@c @implementation
public func vdm_queue_get_base(
    _ device: OpaquePointer?, _ queue: UInt32, _ base: UnsafeMutablePointer<UInt32>?
) -> CInt {
    query(device, base) { (device) throws(DMAError) in
        try device.ringBase(ofQueue: queue).rawValue
    }
}

@c @implementation
public func vdm_queue_set_base(_ device: OpaquePointer?, _ queue: UInt32, _ base: UInt32) -> CInt {
    onDevice(device) { (device) throws(CallError) in
        guard let position = VringBase(rawValue: base, layout: device.ringLayout) else {
            throw CallError(VDM_E_INVALID_ARGUMENT)
        }
        try library { () throws(DMAError) in try device.setRingBase(position, ofQueue: queue) }
    }
}

@c @implementation
public func vdm_queue_set_enabled(
    _ device: OpaquePointer?, _ queue: UInt32, _ enabled: CInt
) -> CInt {
    control(device) { (device) throws(DMAError) in
        try device.setQueueEnabled(enabled != 0, ofQueue: queue)
    }
}

@c @implementation
public func vdm_queue_set_kick(
    _ device: OpaquePointer?, _ queue: UInt32, _ descriptor: CInt
) -> CInt {
    control(device) { (device) throws(DMAError) in
        try device.setKick(event(descriptor), ofQueue: queue)
    }
}

@c @implementation
public func vdm_queue_set_call(
    _ device: OpaquePointer?, _ queue: UInt32, _ descriptor: CInt
) -> CInt {
    control(device) { (device) throws(DMAError) in
        try device.setCall(event(descriptor), ofQueue: queue)
    }
}

@c @implementation
public func vdm_queue_set_err(
    _ device: OpaquePointer?, _ queue: UInt32, _ descriptor: CInt
) -> CInt {
    control(device) { (device) throws(DMAError) in
        try device.setErr(event(descriptor), ofQueue: queue)
    }
}

@c @implementation
public func vdm_queue_get_group(
    _ device: OpaquePointer?, _ queue: UInt32, _ group: UnsafeMutablePointer<UInt32>?
) -> CInt {
    query(device, group) { (device) throws(DMAError) in try device.group(ofQueue: queue) }
}

@c @implementation
public func vdm_queue_get_descriptor_group(
    _ device: OpaquePointer?, _ queue: UInt32, _ group: UnsafeMutablePointer<UInt32>?
) -> CInt {
    query(device, group) { (device) throws(DMAError) in
        try device.descriptorGroup(ofQueue: queue)
    }
}

@c @implementation
public func vdm_group_set_address_space(
    _ device: OpaquePointer?, _ group: UInt32, _ addressSpace: UInt32
) -> CInt {
    control(device) { (device) throws(DMAError) in
        try device.setGroup(group, addressSpace: addressSpace)
    }
}
