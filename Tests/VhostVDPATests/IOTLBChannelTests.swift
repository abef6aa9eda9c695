import IOVAAllocator
import Testing
import VhostVDPA

struct IOTLBChannelTests {
    let range = IOVARange(first: 0x10000, last: 0x11fff)

    // MARK: What is sent

    @Test func `mapping sends one UPDATE and unmapping one INVALIDATE`() throws {
        let file = RecordingFile()
        let channel = IOTLBChannel(file, acknowledged: [.addressSpaces])
        try channel.dmaMap(range, at: 0x7f00_0000_3000, access: .readOnly, asid: 1)
        try channel.dmaUnmap(range, asid: 1)
        #expect(
            file.messages == [
                message(1, 2, 0x10000, 0x2000, 0x7f00_0000_3000, 1),
                message(1, 3, 0x10000, 0x2000),
            ])
        #expect(file.calls.isEmpty)
    }

    @Test func `first address and size say the same as a range`() throws {
        let file = RecordingFile()
        let channel = IOTLBChannel(file, acknowledged: [])
        try channel.dmaMap(iova: IOVA(0x10000), byteCount: 0x2000, at: 0x5000, access: .readWrite)
        try channel.dmaUnmap(iova: IOVA(0x10000), byteCount: 0x2000)
        #expect(
            file.messages == [
                message(0, 2, 0x10000, 0x2000, 0x5000, 3), message(0, 3, 0x10000, 0x2000),
            ])
    }

    @Test func `the last page of the address space can be mapped`() throws {
        let file = RecordingFile()
        let channel = IOTLBChannel(file, acknowledged: [])
        try channel.dmaMap(
            iova: IOVA(.max - 0xfff), byteCount: 0x1000, at: UInt(UInt64.max - 0xfff),
            access: .readWrite)
        #expect(file.messages == [message(0, 2, .max - 0xfff, 0x1000, .max - 0xfff, 3)])
    }

    @Test func `a batch is marked in its address space`() throws {
        let file = RecordingFile()
        let channel = IOTLBChannel(file, acknowledged: [.batch, .addressSpaces])
        try channel.batchBegin(asid: 2)
        try channel.batchEnd(asid: 2)
        #expect(file.messages == [message(2, 5), message(2, 6)])
    }

    // MARK: Unmapping everything

    @Test func `everything is unmapped in two halves, inside a batch of its own`() throws {
        let file = RecordingFile()
        try IOTLBChannel(file, acknowledged: [.batch]).unmapEverything()
        #expect(file.messages == [message(0, 5)] + halves + [message(0, 6)])
    }

    @Test func `inside the caller's batch, or without batches, only the halves are sent`() throws {
        let inBatch = RecordingFile()
        try IOTLBChannel(inBatch, acknowledged: [.batch]).unmapEverything(insideBatch: true)
        #expect(inBatch.messages == halves)
        let withoutBatches = RecordingFile()
        try IOTLBChannel(withoutBatches, acknowledged: []).unmapEverything()
        #expect(withoutBatches.messages == halves)
    }

    @Test(arguments: 0..<4)
    func `when unmapping everything fails, no batch stays open`(failing: Int) {
        let answers = (0..<failing).map { _ in 72 } + [-14]
        let file = RecordingFile(writeAnswers: answers)
        let channel = IOTLBChannel(file, acknowledged: [.batch])
        let error = failure { () throws(VhostError) in try channel.unmapEverything() }
        let failed: VhostOperation = [.batchBegin, .invalidate, .invalidate, .batchEnd][failing]
        #expect(error?.code == .messageRefused)
        #expect(error?.operation == failed)
        #expect(file.messages.contains(message(0, 6)) == (failing > 0))
        #expect(channel.counts.refused == 1)
    }

    // MARK: What is not sent

    static let refusals: [(UInt64, UInt64, UInt, VhostError.Code)] = [
        (0x10000, 0, 0x5000, .emptyRange),
        (0, 0, 0, .emptyRange),
        (.max - 0xfff, 0x2000, 0x5000, .rangeWraps),
        (0x10000, .max, 0x5000, .rangeWraps),
        (0x10000, 0x2000, UInt(UInt64.max - 0xfff), .rangeWraps),
        (0x10000, 0x1000, 0x5010, .notCongruent),
        (0x10010, 0x1000, 0x5000, .notCongruent),
        (0x10010, 0x1000, 0x5010, .notPageAligned),
        (0x10000, 0x1001, 0x5000, .notPageAligned),
        (0x10000, 0xfff, 0x5000, .notPageAligned),
        (0x10000, 1, 0x5000, .notPageAligned),
    ]

    @Test(arguments: refusals)
    func `a mapping that the kernel would mishandle is refused before the call`(
        iova: UInt64, byteCount: UInt64, address: UInt, code: VhostError.Code
    ) {
        let file = RecordingFile()
        let channel = IOTLBChannel(file, acknowledged: [])
        let error = failure { () throws(VhostError) in
            try channel.dmaMap(
                iova: IOVA(iova), byteCount: byteCount, at: address, access: .readWrite)
        }
        #expect(error?.code == code)
        #expect(error?.operation == .update)
        #expect(error?.errno == nil)
        #expect(file.touchCount == 0)
        #expect(channel.counts == IOTLBMessageCounts())
    }

    static let unmapRefusals: [(UInt64, UInt64, VhostError.Code)] = [
        (0, 0, .emptyRange), (0x10000, 0, .emptyRange), (.max - 0xfff, 0x1001, .rangeWraps),
        (0x10001, 0x1000, .notPageAligned), (0x10000, 0x10, .notPageAligned),
    ]

    @Test(arguments: unmapRefusals)
    func `an unmapping that the kernel would mishandle is refused before the call`(
        iova: UInt64, byteCount: UInt64, code: VhostError.Code
    ) {
        let file = RecordingFile()
        let channel = IOTLBChannel(file, acknowledged: [])
        let error = failure { () throws(VhostError) in
            try channel.dmaUnmap(iova: IOVA(iova), byteCount: byteCount)
        }
        #expect(error?.code == code)
        #expect(error?.operation == .invalidate)
        #expect(file.touchCount == 0)
    }

    @Test func `2^64 bytes are refused before the call, wherever the memory is`() {
        let file = RecordingFile()
        let channel = IOTLBChannel(file, acknowledged: [])
        let errors = [
            failure { () throws(VhostError) in
                try channel.dmaMap(.all, at: 0, access: .readWrite)
            },
            failure { () throws(VhostError) in
                try channel.dmaMap(.all, at: 0x5000, access: .readWrite)
            },
            failure { () throws(VhostError) in try channel.dmaUnmap(.all) },
        ]
        for error in errors { #expect(error?.code == .rangeNotExpressible) }
        #expect(file.touchCount == 0)
    }

    @Test func `the page size is the one given`() throws {
        let file = RecordingFile()
        let channel = IOTLBChannel(file, acknowledged: [], pageSize: 65536)
        let error = failure { () throws(VhostError) in
            try channel.dmaMap(range, at: 0x20000, access: .readWrite)
        }
        #expect(error?.code == .notPageAligned)
        try channel.dmaMap(
            iova: IOVA(0x10000), byteCount: 0x10000, at: 0x20000, access: .readWrite)
        #expect(file.messages.count == 1)
    }

    @Test func `another address space than 0 needs IOTLB_ASID acknowledged, in every message`() {
        let file = RecordingFile()
        let channel = IOTLBChannel(file, acknowledged: [.messageV2, .batch])
        let range = self.range
        let errors = [
            failure { () throws(VhostError) in
                try channel.dmaMap(range, at: 0, access: .readOnly, asid: 1)
            },
            failure { () throws(VhostError) in try channel.dmaUnmap(range, asid: 1) },
            failure { () throws(VhostError) in try channel.batchBegin(asid: 1) },
            failure { () throws(VhostError) in try channel.batchEnd(asid: 1) },
            failure { () throws(VhostError) in try channel.unmapEverything(asid: 1) },
        ]
        for error in errors { #expect(error?.code == .asidNotNegotiated) }
        #expect(file.touchCount == 0)
    }

    private var halves: [[UInt8]] {
        [message(0, 3, 0, 1 << 63), message(0, 3, 1 << 63, 1 << 63)]
    }
}

/// A version 2 message, put together from the kernel's documentation.
func message(
    _ asid: UInt32, _ type: UInt8, _ iova: UInt64 = 0, _ size: UInt64 = 0, _ address: UInt64 = 0,
    _ permission: UInt8 = 0
) -> [UInt8] {
    bytes(UInt32(2), asid, iova, size, address, permission, type)
        + [UInt8](repeating: 0, count: 38)
}
