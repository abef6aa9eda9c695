// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CVDPAMemory
internal import VDPAMemory

// A device's control operations, one by one as the kernel has them.

@c @implementation
public func vdm_device_get_status(
    _ device: OpaquePointer?, _ status: UnsafeMutablePointer<UInt8>?
) -> CInt {
    query(device, status) { (device) throws(DMAError) in try device.status.rawValue }
}

@c @implementation
public func vdm_device_set_status(_ device: OpaquePointer?, _ status: UInt8) -> CInt {
    control(device) { (device) throws(DMAError) in
        try device.setStatus(DeviceStatus(rawValue: status))
    }
}

@c @implementation
public func vdm_device_reset(_ device: OpaquePointer?) -> CInt {
    control(device) { (device) throws(DMAError) in try device.reset() }
}

@c @implementation
public func vdm_device_suspend(_ device: OpaquePointer?) -> CInt {
    control(device) { (device) throws(DMAError) in try device.suspend() }
}

@c @implementation
public func vdm_device_resume(_ device: OpaquePointer?) -> CInt {
    control(device) { (device) throws(DMAError) in try device.resume() }
}

@c @implementation
public func vdm_device_get_features(
    _ device: OpaquePointer?, _ features: UnsafeMutablePointer<UInt64>?
) -> CInt {
    query(device, features) { (device) throws(DMAError) in
        try device.offeredFeatures.rawValue
    }
}

@c @implementation
public func vdm_device_set_features(_ device: OpaquePointer?, _ features: UInt64) -> CInt {
    control(device) { (device) throws(DMAError) in
        try device.setFeatures(VirtioFeatures(rawValue: features))
    }
}

@c @implementation
public func vdm_device_get_config_size(
    _ device: OpaquePointer?, _ byteCount: UnsafeMutablePointer<Int>?
) -> CInt {
    query(device, byteCount) { (device) throws(DMAError) in try device.configSize }
}

@c @implementation
public func vdm_device_get_config(
    _ device: OpaquePointer?, _ offset: Int, _ bytes: UnsafeMutableRawPointer?, _ byteCount: Int
) -> CInt {
    onDevice(device) { (device) throws(CallError) in
        guard let bytes = unsafe bytes else { throw CallError(VDM_E_NULL_ARGUMENT) }
        guard offset >= 0, byteCount >= 0 else { throw CallError(VDM_E_INVALID_ARGUMENT) }
        let part = try library { () throws(DMAError) in
            try device.config(offset: offset, byteCount: byteCount)
        }
        unsafe UnsafeMutableRawBufferPointer(start: bytes, count: byteCount).copyBytes(from: part)
    }
}

@c @implementation
public func vdm_device_set_config(
    _ device: OpaquePointer?, _ offset: Int, _ bytes: UnsafeRawPointer?, _ byteCount: Int
) -> CInt {
    onDevice(device) { (device) throws(CallError) in
        guard let bytes = unsafe bytes else { throw CallError(VDM_E_NULL_ARGUMENT) }
        guard offset >= 0, (0...1 << 20).contains(byteCount) else {
            throw CallError(VDM_E_INVALID_ARGUMENT)
        }
        let part = unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: byteCount))
        try library { () throws(DMAError) in try device.setConfig(offset: offset, part) }
    }
}

@c @implementation
public func vdm_device_set_config_call(_ device: OpaquePointer?, _ descriptor: CInt) -> CInt {
    control(device) { (device) throws(DMAError) in
        try device.setConfigCall(event(descriptor))
    }
}

@c @implementation
public func vdm_device_reset_owner(_ device: OpaquePointer?) -> CInt {
    control(device) { (device) throws(DMAError) in try device.resetOwner() }
}

@c @implementation
public func vdm_device_set_log_base(_ device: OpaquePointer?, _ address: UInt64) -> CInt {
    control(device) { (device) throws(DMAError) in try device.setLogBase(address) }
}

@c @implementation
public func vdm_device_set_log_descriptor(_ device: OpaquePointer?, _ descriptor: CInt) -> CInt {
    control(device) { (device) throws(DMAError) in
        try device.setLogDescriptor(event(descriptor))
    }
}
