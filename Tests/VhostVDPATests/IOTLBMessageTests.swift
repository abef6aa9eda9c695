import IOVAAllocator
import Testing
import VhostVDPA

struct IOTLBMessageTests {
    static let messages: [(IOTLBMessage, [UInt8])] = [
        (
            .update(
                asid: 0x0102_0304,
                range: IOVARange(first: 0x1122_3344_5566_7000, last: 0x1122_3344_5566_8fff),
                address: 0x0000_7fab_cdef_0000, access: .writeOnly),
            [
                2, 0, 0, 0, 0x04, 0x03, 0x02, 0x01,
                0x00, 0x70, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
                0x00, 0x20, 0, 0, 0, 0, 0, 0,
                0x00, 0x00, 0xef, 0xcd, 0xab, 0x7f, 0, 0,
                2, 2,
            ]
        ),
        (
            .update(
                asid: 0, range: IOVARange(first: .max - 0xfff, last: .max), address: 0x1000,
                access: .readOnly),
            [
                2, 0, 0, 0, 0, 0, 0, 0,
                0x00, 0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                0x00, 0x10, 0, 0, 0, 0, 0, 0,
                0x00, 0x10, 0, 0, 0, 0, 0, 0,
                1, 2,
            ]
        ),
        (
            .update(
                asid: 0, range: IOVARange(first: 0, last: 0xfff), address: 0, access: .readWrite),
            [
                2, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0,
                0x00, 0x10, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0,
                3, 2,
            ]
        ),
        (
            .invalidate(asid: 1, range: IOVARange(first: 1 << 63, last: .max)),
            [
                2, 0, 0, 0, 1, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0x80,
                0, 0, 0, 0, 0, 0, 0, 0x80,
                0, 0, 0, 0, 0, 0, 0, 0,
                0, 3,
            ]
        ),
        (.batchBegin(asid: 7), [2, 0, 0, 0, 7] + [UInt8](repeating: 0, count: 28) + [5]),
        (.batchEnd(asid: 7), [2, 0, 0, 0, 7] + [UInt8](repeating: 0, count: 28) + [6]),
    ]

    @Test(arguments: messages)
    func `a message is the kernel's 72 bytes, and zero where it says nothing`(
        message: IOTLBMessage, meaningful: [UInt8]
    ) throws {
        let bytes = unsafe try message.withBytes { unsafe Array($0) }
        #expect(bytes == meaningful + [UInt8](repeating: 0, count: 72 - meaningful.count))
    }

    @Test(arguments: [
        IOTLBMessage.update(asid: 0, range: .all, address: 0, access: .readWrite),
        .invalidate(asid: 0, range: .all),
    ])
    func `a range of 2^64 bytes has no message`(message: IOTLBMessage) {
        let error = failure { () throws(VhostError) in
            unsafe try message.withBytes { _ in Issue.record("lent bytes of no message") }
        }
        #expect(error?.code == .rangeNotExpressible)
        #expect(error?.operation == message.operation)
    }

    @Test func `a message names its operation and address space`() {
        let range = IOVARange(first: 0, last: 0xfff)
        let cases: [(IOTLBMessage, VhostOperation)] = [
            (.update(asid: 3, range: range, address: 0, access: .readOnly), .update),
            (.invalidate(asid: 3, range: range), .invalidate),
            (.batchBegin(asid: 3), .batchBegin), (.batchEnd(asid: 3), .batchEnd),
        ]
        for (message, operation) in cases {
            #expect(message.operation == operation)
            #expect(message.asid == 3)
            #expect(message.description.hasSuffix("ASID 3"))
        }
    }
}
