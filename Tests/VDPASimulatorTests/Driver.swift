import CVhostVDPA
import Glibc
import IOVAAllocator
import VDPASimulator
import VhostVDPA

/// A driver for one simulated device: owner, all backend features that are offered.
final class Driver {
    let device: SimulatedDevice
    let file: any DeviceFile

    init(_ configuration: SimulatedDevice.Configuration = .vdpaSimNet()) {
        device = SimulatedDevice(configuration)
        file = device.file
        _ = call(CVHOST_SET_OWNER)
        var offered: UInt64 = 0
        _ = call(CVHOST_GET_BACKEND_FEATURES, &offered)
        _ = call(CVHOST_SET_BACKEND_FEATURES, &offered)
    }

    func call(_ request: UInt32) -> Int32 { unsafe file.ioctl(request, nil) }

    func call<Value: BitwiseCopyable>(_ request: UInt32, _ value: inout Value) -> Int32 {
        // Safe: the structure has the size that the request number encodes.
        unsafe withUnsafeMutableBytes(of: &value) {
            unsafe file.ioctl(request, $0.baseAddress)
        }
    }

    func ring(_ request: UInt32, _ index: UInt32, _ number: UInt32) -> Int32 {
        var state = vhost_vring_state(index: index, num: number)
        return call(request, &state)
    }

    func setStatus(_ status: UInt8) -> Int32 {
        var copy = status
        return call(CVHOST_VDPA_SET_STATUS, &copy)
    }

    func send(
        _ type: UInt32, _ iova: UInt64 = 0, _ size: UInt64 = 0, _ address: UInt = 0,
        access: UInt8 = 3, asid: UInt32 = 0
    ) -> Int {
        var message = cvhost_message_v2(asid, UInt8(type), iova, size, UInt64(address), access)
        // Safe: the message outlives the call.
        return unsafe withUnsafeBytes(of: &message) { unsafe file.write($0) }
    }

    func update(
        _ iova: UInt64, _ size: UInt64, _ address: UInt, access: UInt8 = 3, asid: UInt32 = 0
    ) -> Int {
        send(CVHOST_IOTLB_UPDATE, iova, size, address, access: access, asid: asid)
    }

    func invalidate(_ iova: UInt64, _ size: UInt64, asid: UInt32 = 0) -> Int {
        send(CVHOST_IOTLB_INVALIDATE, iova, size, asid: asid)
    }

    func begin() -> Int { send(CVHOST_IOTLB_BATCH_BEGIN) }
    func end() -> Int { send(CVHOST_IOTLB_BATCH_END) }
}

/// Shared pages, between two pages without access.
@safe final class SharedPages {
    let count: Int
    private let base: UnsafeMutableRawPointer

    init(_ count: Int) {
        self.count = count
        let size = (count + 2) * 4096
        // Safe: fresh addresses, of which the middle becomes accessible.
        let all = unsafe mmap(nil, size, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)!
        unsafe base = all + 4096
        precondition(unsafe mprotect(base, count * 4096, PROT_READ | PROT_WRITE) == 0)
    }

    deinit { _ = unsafe munmap(base - 4096, (count + 2) * 4096) }

    subscript(page: Int) -> UInt { unsafe UInt(bitPattern: base) + UInt(page) * 4096 }

    func bytes(at offset: Int, count: Int) -> [UInt8] {
        unsafe [UInt8](UnsafeRawBufferPointer(start: base + offset, count: count))
    }

    func fill(at offset: Int, _ bytes: [UInt8]) {
        unsafe (base + offset).copyMemory(from: bytes, byteCount: bytes.count)
    }
}
