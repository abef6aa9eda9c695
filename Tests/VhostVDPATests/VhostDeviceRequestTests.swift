import IOVAAllocator
import Testing
import VhostVDPA

/// Each method issues one request: this number, with these argument bytes, and reads the answer so.
struct VhostDeviceRequestTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let request: UInt32
        /// nil: a null pointer.
        let argument: [UInt8]?
        /// What the kernel writes over the argument's end.
        var reply: [UInt8] = []
        /// What the method makes of it, as text; "()" where it answers nothing.
        var answer = "()"
        let run: @Sendable (borrowing VhostDevice) throws -> Any

        var testDescription: String { name }
    }

    static let cases: [Case] = backend + vrings + control + groups

    static let backend: [Case] = [
        Case(name: "setOwner", request: 0x0000_af01, argument: nil) { try $0.setOwner() },
        Case(name: "resetOwner", request: 0x0000_af02, argument: nil) { try $0.resetOwner() },
        Case(
            name: "getFeatures", request: 0x8008_af00, argument: bytes(UInt64(0)),
            reply: bytes(UInt64(0x8000_0003_0000_0001)), answer: "0x8000000300000001"
        ) { try $0.getFeatures() },
        Case(
            name: "setFeatures", request: 0x4008_af00, argument: bytes(UInt64(0x3_0000_0000))
        ) { try $0.setFeatures([.version1, .accessPlatform]) },
        Case(
            name: "getBackendFeatures", request: 0x8008_af26, argument: bytes(UInt64(0)),
            reply: bytes(UInt64(0x1e)),
            answer: "{IOTLB_MSG_V2, IOTLB_BATCH, IOTLB_ASID, SUSPEND}"
        ) { try $0.getBackendFeatures() },
        Case(
            name: "setBackendFeatures", request: 0x4008_af25, argument: bytes(UInt64(0x0e))
        ) { try $0.setBackendFeatures([.messageV2, .batch, .addressSpaces]) },
        Case(name: "setMemTable, empty", request: 0x4008_af03, argument: bytes(UInt64(0))) {
            try $0.setMemTable([])
        },
        Case(
            name: "setMemTable, two regions", request: 0x4008_af03,
            argument: bytes(UInt32(2), UInt32(0))
                + bytes(UInt64(0x1000), UInt64(0x2000), UInt64(0x7000), UInt64(0))
                + bytes(UInt64(0x8000), UInt64(0x9000), UInt64(0xa000), UInt64(0))
        ) {
            try $0.setMemTable([
                MemoryTableRegion(guestAddress: 0x1000, byteCount: 0x2000, userAddress: 0x7000),
                MemoryTableRegion(guestAddress: 0x8000, byteCount: 0x9000, userAddress: 0xa000),
            ])
        },
        Case(
            name: "setLogBase", request: 0x4008_af04,
            argument: bytes(UInt64(0x1122_3344_5566_7788))
        ) { try $0.setLogBase(0x1122_3344_5566_7788) },
        Case(name: "setLogFD", request: 0x4004_af07, argument: bytes(Int32(9))) {
            try $0.setLogFD(.eventfd(9))
        },
    ]

    static let vrings: [Case] = [
        Case(
            name: "getVringNum", request: 0x8002_af76, argument: bytes(UInt16(0)),
            reply: bytes(UInt16(0x8000)), answer: "32768"
        ) { try $0.getVringNum() },
        Case(
            name: "getVringSize", request: 0xc008_af82, argument: bytes(UInt32(3), UInt32(0)),
            reply: bytes(UInt32(256)), answer: "256"
        ) { try $0.getVringSize(queue: 3) },
        Case(
            name: "setVringNum", request: 0x4008_af10, argument: bytes(UInt32(1), UInt32(256))
        ) { try $0.setVringNum(queue: 1, size: 256, maximum: 256) },
        Case(
            name: "setVringAddr", request: 0x4028_af11,
            argument: bytes(UInt32(2), UInt32(0))
                + bytes(UInt64(0x1_0000), UInt64(0x3_0000), UInt64(0x2_0002), UInt64(0))
        ) {
            try $0.setVringAddr(
                queue: 2,
                VringAddresses(
                    descriptors: IOVA(0x1_0000), available: IOVA(0x2_0002), used: IOVA(0x3_0000)))
        },
        Case(
            name: "setVringAddr with a log", request: 0x4028_af11,
            argument: bytes(UInt32(0), UInt32(1))
                + bytes(UInt64(0x10), UInt64(0x30), UInt64(0x20), UInt64(0x40))
        ) {
            try $0.setVringAddr(
                queue: 0,
                VringAddresses(
                    descriptors: IOVA(0x10), available: IOVA(0x20), used: IOVA(0x30),
                    log: IOVA(0x40)))
        },
        Case(
            name: "setVringBase, split", request: 0x4008_af12,
            argument: bytes(UInt32(1), UInt32(0xffff))
        ) { try $0.setVringBase(queue: 1, .split(availableIndex: 0xffff)) },
        Case(
            name: "setVringBase, packed", request: 0x4008_af12,
            argument: bytes(UInt32(1), UInt32(0x0034_8012))
        ) {
            try $0.setVringBase(
                queue: 1,
                .packed(
                    available: #require(PackedVringPosition(index: 0x12, wrapCounter: true)),
                    used: #require(PackedVringPosition(index: 0x34, wrapCounter: false))))
        },
        Case(
            name: "getVringBase, split", request: 0xc008_af12,
            argument: bytes(UInt32(1), UInt32(0)), reply: bytes(UInt32(0xfffe)),
            answer: "split(availableIndex: 65534)"
        ) { try $0.getVringBase(queue: 1, layout: .split) },
        Case(
            name: "getVringBase, packed", request: 0xc008_af12,
            argument: bytes(UInt32(1), UInt32(0)), reply: bytes(UInt32(0x8034_0012)),
            answer: "0x12 false 0x34 true"
        ) { device in
            guard
                case .packed(let available, let used) =
                    try device.getVringBase(queue: 1, layout: .packed)
            else { return "split" }
            return "0x\(String(available.index, radix: 16)) \(available.wrapCounter) "
                + "0x\(String(used.index, radix: 16)) \(used.wrapCounter)"
        },
        Case(
            name: "setVringKick", request: 0x4008_af20, argument: bytes(UInt32(1), Int32(5))
        ) { try $0.setVringKick(queue: 1, .eventfd(5)) },
        Case(
            name: "setVringKick, unbound", request: 0x4008_af20,
            argument: bytes(UInt32(1), Int32(-1))
        ) { try $0.setVringKick(queue: 1, .unbound) },
        Case(
            name: "setVringCall", request: 0x4008_af21, argument: bytes(UInt32(2), Int32(0))
        ) { try $0.setVringCall(queue: 2, .eventfd(0)) },
        Case(
            name: "setVringCall, unbound", request: 0x4008_af21,
            argument: bytes(UInt32(2), Int32(-1))
        ) { try $0.setVringCall(queue: 2, .unbound) },
        Case(
            name: "setVringErr", request: 0x4008_af22, argument: bytes(UInt32(3), Int32(7))
        ) { try $0.setVringErr(queue: 3, .eventfd(7)) },
        Case(
            name: "setVringErr, unbound", request: 0x4008_af22,
            argument: bytes(UInt32(3), Int32(-1))
        ) { try $0.setVringErr(queue: 3, .unbound) },
        Case(
            name: "setVringEnable", request: 0x4008_af75, argument: bytes(UInt32(1), UInt32(1))
        ) { try $0.setVringEnable(queue: 1, true) },
        Case(
            name: "setVringEnable, off", request: 0x4008_af75,
            argument: bytes(UInt32(1), UInt32(0))
        ) { try $0.setVringEnable(queue: 1, false) },
    ]

    static let control: [Case] = [
        Case(
            name: "getDeviceID", request: 0x8004_af70, argument: bytes(UInt32(0)),
            reply: bytes(UInt32(2)), answer: "block (2)"
        ) { try $0.getDeviceID() },
        Case(
            name: "getStatus", request: 0x8001_af71, argument: [0], reply: [0x4b], answer: "0x4b"
        ) { try $0.getStatus() },
        Case(name: "setStatus", request: 0x4001_af72, argument: [0x0b]) {
            try $0.setStatus([.acknowledge, .driver, .featuresOK])
        },
        Case(name: "setStatus, reset", request: 0x4001_af72, argument: [0]) {
            try $0.setStatus(.reset)
        },
        Case(name: "setConfigCall", request: 0x4004_af77, argument: bytes(Int32(11))) {
            try $0.setConfigCall(.eventfd(11))
        },
        Case(name: "setConfigCall, unbound", request: 0x4004_af77, argument: bytes(Int32(-1))) {
            try $0.setConfigCall(.unbound)
        },
        Case(
            name: "getIOVARange", request: 0x8010_af78, argument: bytes(UInt64(0), UInt64(0)),
            reply: bytes(UInt64(0x1000), UInt64.max), answer: "[0x1000, 0xffffffffffffffff]"
        ) { try $0.getIOVARange() },
        Case(
            name: "getConfigSize", request: 0x8004_af79, argument: bytes(UInt32(0)),
            reply: bytes(UInt32(4096)), answer: "4096"
        ) { try $0.getConfigSize() },
        Case(
            name: "getConfig", request: 0x8008_af73,
            argument: bytes(UInt32(4), UInt32(3)) + [0, 0, 0], reply: [7, 8, 9],
            answer: "[7, 8, 9]"
        ) { try $0.getConfig(offset: 4, byteCount: 3, configSize: 7) },
        Case(
            name: "setConfig", request: 0x4008_af74,
            argument: bytes(UInt32(1), UInt32(2)) + [0xaa, 0xbb]
        ) { device in
            var failure: VhostError?
            unsafe [UInt8]([0xaa, 0xbb]).withUnsafeBytes { buffer in
                do throws(VhostError) {
                    unsafe try device.setConfig(offset: 1, buffer)
                } catch { failure = error }
            }
            if let failure { throw failure }
            return ()
        },
        Case(
            name: "getQueueCount", request: 0x8004_af80, argument: bytes(UInt32(0)),
            reply: bytes(UInt32(3)), answer: "3"
        ) { try $0.getQueueCount() },
        Case(name: "suspend", request: 0x0000_af7d, argument: nil) { try $0.suspend() },
        Case(name: "resume", request: 0x0000_af7e, argument: nil) { try $0.resume() },
    ]

    static let groups: [Case] = [
        Case(
            name: "getGroupCount", request: 0x8004_af81, argument: bytes(UInt32(0)),
            reply: bytes(UInt32(2)), answer: "2"
        ) { try $0.getGroupCount() },
        Case(
            name: "getAddressSpaceCount", request: 0x8004_af7a, argument: bytes(UInt32(0)),
            reply: bytes(UInt32(4)), answer: "4"
        ) { try $0.getAddressSpaceCount() },
        Case(
            name: "getVringGroup", request: 0xc008_af7b, argument: bytes(UInt32(2), UInt32(0)),
            reply: bytes(UInt32(1)), answer: "1"
        ) { try $0.getVringGroup(queue: 2) },
        Case(
            name: "getVringDescriptorGroup", request: 0xc008_af7f,
            argument: bytes(UInt32(2), UInt32(0)), reply: bytes(UInt32(1)), answer: "1"
        ) { try $0.getVringDescriptorGroup(queue: 2) },
        Case(
            name: "setGroupASID", request: 0x4008_af7c, argument: bytes(UInt32(1), UInt32(5))
        ) { try $0.setGroupASID(group: 1, asid: 5) },
    ]

    @Test(arguments: cases)
    func `a method issues its request, once, and reads its answer`(_ one: Case) throws {
        let file = RecordingFile(reply: one.reply)
        let device = VhostDevice(file)
        let answer = try one.run(device)
        #expect(file.calls == [.init(request: one.request, argument: one.argument)])
        #expect(file.messages.isEmpty)
        #expect("\(answer)" == one.answer)
    }

    @Test(arguments: cases)
    func `an interrupted request is issued again, the same`(_ one: Case) throws {
        let file = RecordingFile(ioctlAnswers: [-4, -4, -4], reply: one.reply)
        let device = VhostDevice(file)
        let answer = try one.run(device)
        let call = RecordingFile.Call(request: one.request, argument: one.argument)
        #expect(file.calls == [call, call, call, call])
        #expect("\(answer)" == one.answer)
    }

    @Test(arguments: cases)
    func `an answer that is neither 0 nor an errno is an error, not a trap`(_ one: Case) throws {
        for answer in [1, 72, Int32.max, -4096, Int32.min] {
            let device = VhostDevice(RecordingFile(ioctlAnswers: [answer], reply: one.reply))
            let error = #expect(throws: VhostError.self) { _ = try one.run(device) }
            #expect(error?.code == .impossibleAnswer)
            #expect(error?.operation.request == one.request)
            #expect(error?.explanation.contains("\(answer)") == true)
        }
    }

    @Test(arguments: cases)
    func `a request that is always interrupted is given up`(_ one: Case) throws {
        let file = RecordingFile(ioctlAnswers: Array(repeating: -4, count: 1000))
        let device = VhostDevice(file)
        let error = #expect(throws: VhostError.self) { _ = try one.run(device) }
        #expect(error?.code == .interrupted)
        #expect(file.calls.count == 101)
    }

    @Test func `the cases issue every request there is`() {
        let issued = Set(Self.cases.map(\.request))
        #expect(issued == Set(VhostOperation.allCases.compactMap(\.request)))
    }
}
