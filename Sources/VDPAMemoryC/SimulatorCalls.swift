// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CVDPAMemory
internal import VDPAMemory
internal import VDPASimulator

@c @implementation
public func vdm_simulator_create(
    _ given: UnsafePointer<vdm_simulator_options>?,
    _ simulator: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
    call { () throws(CallError) in
        let target = try output(simulator)
        let wanted = try options(given, default: vdm_simulator_options())
        var configuration: SimulatedDevice.Configuration
        switch wanted.kind {
        case VDM_SIMULATED_NET.rawValue: configuration = .vdpaSimNet()
        case VDM_SIMULATED_BLOCK.rawValue: configuration = .vdpaSimBlock()
        case VDM_SIMULATED_IOMMU.rawValue: configuration = .vpVDPA()
        case VDM_SIMULATED_VDUSE.rawValue: configuration = .vduse()
        default: throw CallError(VDM_E_INVALID_ARGUMENT)
        }
        if wanted.entry_limit != 0 { configuration.entryLimit = Int(wanted.entry_limit) }
        if wanted.locked_byte_limit != 0 {
            configuration.lockedMemoryLimit = wanted.locked_byte_limit
        }
        unsafe target.pointee = try makeHandle(
            SimulatedDevice(configuration), CVDM_KIND_SIMULATOR)
    }
}

@c @implementation
public func vdm_simulator_destroy(_ handle: OpaquePointer?) -> CInt {
    call { () throws(CallError) in
        _ = try takeObject(handle, CVDM_KIND_SIMULATOR, as: SimulatedDevice.self)
    }
}

@c @implementation
public func vdm_simulator_open(
    _ handle: OpaquePointer?, _ device: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
    onSimulator(handle) { (simulator) throws(CallError) in
        let target = try output(device)
        let opened = try library { () throws(DMAError) in try VDPADevice(simulator) }
        unsafe target.pointee = try makeHandle(opened, CVDM_KIND_DEVICE)
    }
}

@c @implementation
public func vdm_simulator_read(
    _ handle: OpaquePointer?, _ addressSpace: UInt32, _ iova: UInt64,
    _ bytes: UnsafeMutableRawPointer?, _ byteCount: Int
) -> CInt {
    onSimulator(handle) { (simulator) throws(CallError) in
        try requireSpace(addressSpace, of: simulator)
        let target = try bytesOfCaller(bytes, byteCount)
        guard
            let read = simulator.read(
                IOVA(iova), byteCount: byteCount, addressSpace: addressSpace)
        else { throw CallError(VDM_E_NOT_MAPPED) }
        unsafe target.copyBytes(from: read)
    }
}

@c @implementation
public func vdm_simulator_write(
    _ handle: OpaquePointer?, _ addressSpace: UInt32, _ iova: UInt64, _ bytes: UnsafeRawPointer?,
    _ byteCount: Int
) -> CInt {
    onSimulator(handle) { (simulator) throws(CallError) in
        try requireSpace(addressSpace, of: simulator)
        let source = try unsafe bytesOfCaller(UnsafeMutableRawPointer(mutating: bytes), byteCount)
        guard
            unsafe simulator.write(
                [UInt8](source), at: IOVA(iova), addressSpace: addressSpace)
        else { throw CallError(VDM_E_NOT_MAPPED) }
    }
}

@c @implementation
public func vdm_simulator_get_faults(
    _ handle: OpaquePointer?, _ faults: UnsafeMutablePointer<vdm_fault>?, _ capacity: Int,
    _ number: UnsafeMutablePointer<Int>?
) -> CInt {
    onSimulator(handle) { (simulator) throws(CallError) in
        let known = simulator.faults
        try output(number).pointee = known.count
        guard let faults = unsafe faults else { return }
        for (index, fault) in known.prefix(max(capacity, 0)).enumerated() {
            unsafe faults[index] = vdm_fault(
                iova: fault.iova.rawValue, byte_count: UInt64(fault.byteCount),
                is_write: fault.kind == .write ? 1 : 0, address_space: fault.addressSpace)
        }
    }
}

@c @implementation
public func vdm_simulator_clear_faults(_ handle: OpaquePointer?) -> CInt {
    onSimulator(handle) { (simulator) throws(CallError) in simulator.clearFaults() }
}

@c @implementation
public func vdm_simulator_fail_next_write(_ handle: OpaquePointer?, _ errno: CInt) -> CInt {
    onSimulator(handle) { (simulator) throws(CallError) in
        simulator.failNext(.write, errno: errno)
    }
}

@c @implementation
public func vdm_simulator_fail_next_update(_ handle: OpaquePointer?, _ errno: CInt) -> CInt {
    onSimulator(handle) { (simulator) throws(CallError) in
        simulator.failNext(.update, errno: errno)
    }
}

@c @implementation
public func vdm_simulator_get_entry_count(
    _ handle: OpaquePointer?, _ addressSpace: UInt32, _ number: UnsafeMutablePointer<Int>?
) -> CInt {
    onSimulator(handle) { (simulator) throws(CallError) in
        try requireSpace(addressSpace, of: simulator)
        try output(number).pointee =
            simulator.kernelEntries(addressSpace: addressSpace).count
    }
}

@c @implementation
public func vdm_simulator_get_pinned_bytes(
    _ handle: OpaquePointer?, _ byteCount: UnsafeMutablePointer<UInt64>?
) -> CInt {
    onSimulator(handle) { (simulator) throws(CallError) in
        try output(byteCount).pointee = simulator.pinnedByteCount
    }
}

@safe
private func onSimulator(
    _ handle: OpaquePointer?, _ body: (SimulatedDevice) throws(CallError) -> Void
) -> CInt {
    call { () throws(CallError) in
        try body(try object(handle, CVDM_KIND_SIMULATOR, as: SimulatedDevice.self))
    }
}

private func requireSpace(
    _ addressSpace: UInt32, of simulator: SimulatedDevice
) throws(CallError) {
    guard addressSpace < simulator.configuration.addressSpaceCount else {
        throw CallError(VDM_E_ADDRESS_SPACE)
    }
}

@safe
private func bytesOfCaller(
    _ bytes: UnsafeMutableRawPointer?, _ byteCount: Int
) throws(CallError) -> UnsafeMutableRawBufferPointer {
    guard let bytes = unsafe bytes else { throw CallError(VDM_E_NULL_ARGUMENT) }
    guard byteCount >= 0 else { throw CallError(VDM_E_INVALID_ARGUMENT) }
    return unsafe UnsafeMutableRawBufferPointer(start: bytes, count: byteCount)
}
