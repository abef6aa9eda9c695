import IOVAAllocator
import Testing
import VhostVDPA

/// What the device refuses before any call, and answers that it does not believe.
struct VhostDeviceRefusalTests {
    static let bounds: [(UInt32, Int, UInt32?)] = [
        (0, 0, 8), (0, 0, nil), (0, -1, 8), (0, 9, 8), (8, 1, 8), (9, 1, 8), (7, 2, 8),
        (.max, 1, 8), (1, .max, 8), (0, 1, 0), (0, .max, nil), (0, 1 << 32, nil),
    ]

    @Test(arguments: bounds)
    func `a read outside the configuration space is refused before the call`(
        offset: UInt32, byteCount: Int, configSize: UInt32?
    ) {
        let file = RecordingFile()
        let device = VhostDevice(file)
        let error = failure { () throws(VhostError) in
            try device.getConfig(offset: offset, byteCount: byteCount, configSize: configSize)
        }
        #expect(error?.code == .outOfBounds)
        #expect(error?.errno == nil)
        #expect(error?.operation == .getConfig)
        #expect(file.touchCount == 0)
    }

    @Test func `a write outside the configuration space is refused before the call`() {
        let file = RecordingFile()
        let device = VhostDevice(file)
        let tooLong = unsafe [UInt8](repeating: 1, count: 9).withUnsafeBytes { buffer in
            failure { () throws(VhostError) in
                unsafe try device.setConfig(offset: 0, buffer, configSize: 8)
            }
        }
        let empty = failure { () throws(VhostError) in
            unsafe try device.setConfig(
                offset: 0, UnsafeRawBufferPointer(start: nil, count: 0), configSize: 8)
        }
        #expect(tooLong?.code == .outOfBounds)
        #expect(tooLong?.operation == .setConfig)
        #expect(empty?.code == .outOfBounds)
        #expect(file.touchCount == 0)
    }

    @Test(arguments: [(UInt32(0), 8), (7, 1), (1, 7)])
    func `the whole configuration space and its last byte are inside`(
        offset: UInt32, byteCount: Int
    ) throws {
        let device = VhostDevice(RecordingFile())
        let bytes = try device.getConfig(offset: offset, byteCount: byteCount, configSize: 8)
        #expect(bytes.count == byteCount)
    }

    @Test func `a failed read of the configuration leaves the caller's buffer alone`() {
        let device = VhostDevice(RecordingFile(ioctlAnswers: [-22], reply: [9, 9]))
        var buffer: [UInt8] = [1, 2]
        let error = unsafe buffer.withUnsafeMutableBytes { bytes in
            failure { () throws(VhostError) in unsafe try device.getConfig(offset: 0, into: bytes) }
        }
        #expect(error?.code == .outOfBounds)
        #expect(error?.errno == .invalid)
        #expect(buffer == [1, 2])
    }

    @Test func `a negative event descriptor is refused, since -1 would unbind in silence`() {
        let file = RecordingFile()
        let device = VhostDevice(file)
        for number in [-1, -2, Int32.min] {
            let binding = EventBinding.eventfd(number)
            let errors = [
                failure { () throws(VhostError) in try device.setVringKick(queue: 0, binding) },
                failure { () throws(VhostError) in try device.setVringCall(queue: 0, binding) },
                failure { () throws(VhostError) in try device.setVringErr(queue: 0, binding) },
                failure { () throws(VhostError) in try device.setConfigCall(binding) },
                failure { () throws(VhostError) in try device.setLogFD(binding) },
            ]
            for error in errors { #expect(error?.code == .badEventDescriptor) }
        }
        #expect(file.touchCount == 0)
    }

    @Test func `a queue larger than the device's maximum is refused where that is known`() throws {
        let file = RecordingFile()
        let device = VhostDevice(file)
        let error = failure { () throws(VhostError) in
            try device.setVringNum(queue: 0, size: 512, maximum: 256)
        }
        #expect(error?.code == .outOfBounds)
        #expect(file.touchCount == 0)
        try device.setVringNum(queue: 0, size: 512)
        #expect(file.touchCount == 1)
    }

    @Test(arguments: [UInt64(1), 2, 8, 0x1008])
    func `a misaligned descriptor area is refused, since the kernel takes it`(address: UInt64) {
        let file = RecordingFile()
        let device = VhostDevice(file)
        let error = failure { () throws(VhostError) in
            try device.setVringAddr(
                queue: 0,
                VringAddresses(
                    descriptors: IOVA(address), available: IOVA(0x2000), used: IOVA(0x3000)))
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.errno == nil)
        #expect(file.touchCount == 0)
    }

    @Test func `an IOVA range that ends before it starts is an error, not a trap`() {
        let device = VhostDevice(RecordingFile(reply: bytes(UInt64(0x2000), UInt64(0x1fff))))
        let error = failure { () throws(VhostError) in try device.getIOVARange() }
        #expect(error?.code == .impossibleAnswer)
        #expect(error?.explanation.contains("0x2000") == true)
        #expect(error?.explanation.contains("0x1fff") == true)
    }

    @Test(arguments: [(UInt64(0), UInt64.max), (0x1000, 0x1000), (0, 0)])
    func `an IOVA range of everything, or of one address, is a range`(
        first: UInt64, last: UInt64
    ) throws {
        let device = VhostDevice(RecordingFile(reply: bytes(first, last)))
        #expect(try device.getIOVARange() == IOVARange(first: first, last: last))
    }

    @Test func `a split ring's index above 16 bits is an error, not a truncation`() {
        let device = VhostDevice(RecordingFile(reply: bytes(UInt32(0x1_0000))))
        let error = failure { () throws(VhostError) in
            try device.getVringBase(queue: 0, layout: .split)
        }
        #expect(error?.code == .impossibleAnswer)
    }
}
