// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CVDPAMemory
internal import VDPAMemory

@c @implementation
public func vdm_device_open(
    _ path: UnsafePointer<CChar>?, _ device: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
    call { () throws(CallError) in
        let target = try output(device)
        guard let path = unsafe path else { throw CallError(VDM_E_NULL_ARGUMENT) }
        let name = unsafe String(cString: path)
        let opened = try library { () throws(DMAError) in try VDPADevice(path: name) }
        unsafe target.pointee = try makeHandle(opened, CVDM_KIND_DEVICE)
    }
}

@c @implementation
public func vdm_device_adopt(
    _ descriptor: CInt, _ flags: UInt32, _ device: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
    call { () throws(CallError) in
        let target = try output(device)
        try requireKnown(flags, VDM_ADOPT_DUPLICATE.rawValue)
        let duplicates = flags & VDM_ADOPT_DUPLICATE.rawValue != 0
        let adopted = try library { () throws(DMAError) in
            try VDPADevice(adopting: descriptor, duplicating: duplicates)
        }
        unsafe target.pointee = try makeHandle(adopted, CVDM_KIND_DEVICE)
    }
}

@c @implementation
public func vdm_device_close(_ device: OpaquePointer?) -> CInt {
    call { () throws(CallError) in
        _ = try takeObject(device, CVDM_KIND_DEVICE, as: VDPADevice.self)
    }
}

@c @implementation
public func vdm_device_get_info(
    _ device: OpaquePointer?, _ info: UnsafeMutablePointer<vdm_device_info>?
) -> CInt {
    onDevice(device) { (device) throws(CallError) in
        try requireAnswerable(info)
        let known = try library { () throws(DMAError) in try vdm_device_info(device) }
        try answer(known, into: info)
    }
}

extension vdm_device_info {
    fileprivate init(_ device: VDPADevice) throws(DMAError) {
        self.init()
        iova_range = vdm_range(device.iovaRange)
        backend_features = device.backendFeatures.rawValue
        entry_limit = UInt64(device.entryLimit ?? 0)
        device_id = try device.deviceID.rawValue
        address_space_count = device.addressSpaceCount
        group_count = UInt32(clamping: try device.groupCount)
        queue_count = UInt32(clamping: try device.queueCount)
        maximum_queue_size = UInt32(clamping: try device.maximumQueueSize)
        numa_node = Int32(clamping: device.numaNode ?? -1)
        pins_memory = device.pinsMemory ? 1 : 0
        supports_batching = device.supportsBatching ? 1 : 0
    }
}

/// A call on a device.
@safe
func onDevice(
    _ handle: OpaquePointer?, _ body: (VDPADevice) throws(CallError) -> Void
) -> CInt {
    call { () throws(CallError) in try body(try device(handle)) }
}

/// A call on a device that is one call of the library's.
@safe
func control(
    _ handle: OpaquePointer?, _ body: (VDPADevice) throws(DMAError) -> Void
) -> CInt {
    onDevice(handle) { (device) throws(CallError) in
        try library { () throws(DMAError) in try body(device) }
    }
}

/// A call on a device that answers one value.
@safe
func query<Value>(
    _ handle: OpaquePointer?, _ target: UnsafeMutablePointer<Value>?,
    _ body: (VDPADevice) throws(DMAError) -> Value
) -> CInt {
    onDevice(handle) { (device) throws(CallError) in
        let target = try output(target)
        unsafe target.pointee = try library { () throws(DMAError) in try body(device) }
    }
}

/// Flags that this library does not know are refused: a newer caller means something by them.
func requireKnown(_ flags: UInt32, _ known: UInt32) throws(CallError) {
    guard flags & ~known == 0 else { throw CallError(VDM_E_INVALID_ARGUMENT) }
}

/// A descriptor of the caller's, or -1 for none.
func event(_ descriptor: CInt) -> EventBinding {
    descriptor == -1 ? .unbound : .eventfd(descriptor)
}
