internal import CVhostVDPA
internal import VhostVDPA

/// An open device file with the calls spelled out: raw answers, no interpretation.
final class Client {
    let file: any DeviceFile
    private let closes: Bool

    /// - Parameter closes: whether the file is this client's to close.
    init(_ file: any DeviceFile, closes: Bool = true) {
        self.file = file
        self.closes = closes
    }

    deinit { if closes { file.close() } }

    // MARK: ioctl

    /// A request without argument.
    func call(_ request: UInt32) -> Int32 { unsafe file.ioctl(request, nil) }

    /// A request whose structure the kernel reads or fills.
    func call<Value: BitwiseCopyable>(_ request: UInt32, _ value: inout Value) -> Int32 {
        // Safe: the structure has the size that the request number encodes.
        unsafe withUnsafeMutableBytes(of: &value) {
            unsafe file.ioctl(request, $0.baseAddress)
        }
    }

    func set<Value: BitwiseCopyable>(_ request: UInt32, _ value: Value) -> Int32 {
        var copy = value
        return call(request, &copy)
    }

    func get<Value: BitwiseCopyable & FixedWidthInteger>(
        _ request: UInt32, as type: Value.Type
    ) throws -> Value {
        var value = Value.zero
        try expectEqual(call(request, &value), 0, "ioctl 0x" + String(request, radix: 16))
        return value
    }

    func setOwner() -> Int32 { call(CVHOST_SET_OWNER) }

    func acknowledge(_ features: UInt64) -> Int32 { set(CVHOST_SET_BACKEND_FEATURES, features) }

    func setStatus(_ status: UInt8) -> Int32 { set(CVHOST_VDPA_SET_STATUS, status) }

    func status() throws -> UInt8 { try get(CVHOST_VDPA_GET_STATUS, as: UInt8.self) }

    /// Acknowledge, driver, and every feature that the device offers.
    func negotiate() throws {
        let features = try get(CVHOST_GET_FEATURES, as: UInt64.self)
        try expectEqual(setStatus(1), 0, "ACKNOWLEDGE")
        try expectEqual(setStatus(3), 0, "DRIVER")
        try expectEqual(set(CVHOST_SET_FEATURES, features), 0, "SET_FEATURES")
        try expectEqual(setStatus(0xb), 0, "FEATURES_OK")
        try expectEqual(status(), 0xb, "status after FEATURES_OK")
    }

    /// vhost_vring_state.
    func setRing(_ request: UInt32, _ index: UInt32, _ number: UInt32) -> Int32 {
        set(request, vhost_vring_state(index: index, num: number))
    }

    func getRing(_ request: UInt32, _ index: UInt32) -> (result: Int32, number: UInt32) {
        var state = vhost_vring_state(index: index, num: 0xdead_beef)
        let result = call(request, &state)
        return (result, state.num)
    }

    // MARK: write

    func write(_ bytes: [UInt8]) -> Int {
        // Safe: the array outlives the call.
        unsafe bytes.withUnsafeBytes { unsafe file.write($0) }
    }

    func update(
        _ iova: UInt64, _ size: UInt64, _ address: UInt, access: UInt8 = 3, asid: UInt32 = 0
    ) -> Int {
        write(Message.v2(2, iova, size, address, access, asid))
    }

    func invalidate(_ iova: UInt64, _ size: UInt64, asid: UInt32 = 0) -> Int {
        write(Message.v2(3, iova, size, 0, 0, asid))
    }

    func batchBegin(asid: UInt32 = 0) -> Int { write(Message.v2(5, 0, 0, 0, 0, asid)) }

    func batchEnd(asid: UInt32 = 0) -> Int { write(Message.v2(6, 0, 0, 0, 0, asid)) }

    /// Whether a page is free in the kernel's table: the kernel has no other way to ask. Maps it
    /// and takes it away again.
    func isFree(_ iova: UInt64, _ address: UInt, asid: UInt32 = 0) -> Bool {
        guard update(iova, 4096, address, asid: asid) == 72 else { return false }
        return invalidate(iova, 4096, asid: asid) == 72
    }
}

/// The bytes of IOTLB messages, put together by hand: the product's own encoder is not trusted
/// here.
enum Message {
    static func v2(
        _ type: UInt8, _ iova: UInt64, _ size: UInt64, _ address: UInt, _ access: UInt8 = 3,
        _ asid: UInt32 = 0
    ) -> [UInt8] {
        bytes(UInt32(2)) + bytes(asid) + body(type, iova, size, address, access)
    }

    static func v1(_ type: UInt8, _ iova: UInt64, _ size: UInt64, _ address: UInt) -> [UInt8] {
        bytes(UInt32(1)) + [0xa5, 0xa5, 0xa5, 0xa5] + body(type, iova, size, address, 3)
    }

    private static func body(
        _ type: UInt8, _ iova: UInt64, _ size: UInt64, _ address: UInt, _ access: UInt8
    ) -> [UInt8] {
        bytes(iova) + bytes(size) + bytes(UInt64(address)) + [access, type]
            + [UInt8](repeating: 0, count: 38)
    }

    static func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        (0..<(Value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
