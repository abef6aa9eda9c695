import IOVAAllocator
import Testing
import VhostVDPA

/// What the channel makes of the kernel's answers.
struct IOTLBAnswerTests {
    @Test func `messages are counted by kind, and those not taken apart`() throws {
        let taken = [72, 72, 72, 72, 72, 72, -14]
        let channel = IOTLBChannel(
            RecordingFile(writeAnswers: taken), acknowledged: [.batch, .addressSpaces])
        let range = IOVARange(first: 0x10000, last: 0x10fff)
        try channel.batchBegin()
        for _ in 0..<3 { try channel.dmaMap(range, at: 0, access: .readOnly) }
        try channel.dmaUnmap(range)
        try channel.batchEnd()
        #expect(failure { () throws(VhostError) in try channel.batchEnd() } != nil)
        let counts = channel.counts
        #expect(
            counts
                == IOTLBMessageCounts(
                    updates: 3, invalidates: 1, batchBegins: 1, batchEnds: 1, refused: 1))
        #expect(counts.total == 6)
    }

    static let errnos: [(Int, VhostError.Code)] = [
        (-14, .messageRefused), (-22, .invalidArgument), (-9, .closed), (-5, .unexpectedErrno),
        (-1, .unexpectedErrno), (-4095, .unexpectedErrno),
    ]

    @Test(arguments: errnos)
    func `an errno becomes its error, for every kind of message`(
        answer: Int, code: VhostError.Code
    ) {
        let range = IOVARange(first: 0x10000, last: 0x10fff)
        let messages: [IOTLBMessage] = [
            .update(asid: 0, range: range, address: 0x7000, access: .readOnly),
            .invalidate(asid: 0, range: range), .batchBegin(asid: 0), .batchEnd(asid: 0),
        ]
        for message in messages {
            let channel = IOTLBChannel(RecordingFile(writeAnswers: [answer]), acknowledged: [])
            let error = failure { () throws(VhostError) in try channel.send(message) }
            #expect(error?.code == code)
            #expect(error?.operation == message.operation)
            #expect(error?.errno == Errno(Int32(-answer)))
            #expect(error?.remedy.isEmpty == false)
        }
    }

    @Test func `a refused mapping names its range, its address and what the kernel hides`() {
        let channel = IOTLBChannel(RecordingFile(writeAnswers: [-14]), acknowledged: [])
        let error = failure { () throws(VhostError) in
            try channel.dmaMap(
                IOVARange(first: 0x10000, last: 0x10fff), at: 0x7000, access: .readOnly)
        }
        let text = error?.description ?? ""
        for word in ["[0x10000, 0x10fff]", "0x7000", "EFAULT", "max_iotlb_entries", "VmPin"] {
            #expect(text.contains(word), "\(word) is missing in: \(text)")
        }
    }

    @Test(arguments: [0, 1, 40, 71, 73, Int.max, -4096, Int.min])
    func `any answer but 72 and an errno is an error, not a trap`(answer: Int) {
        let channel = IOTLBChannel(RecordingFile(writeAnswers: [answer]), acknowledged: [])
        let error = failure { () throws(VhostError) in try channel.batchBegin() }
        #expect(error?.code == (0..<72 ~= answer ? .shortWrite : .impossibleAnswer))
        #expect(error?.errno == nil)
        #expect(error?.explanation.contains("\(answer)") == true)
        #expect(channel.counts == IOTLBMessageCounts(refused: 1))
    }

    @Test(arguments: [1, 2, 99, 100])
    func `an interrupted message is sent again, the same`(times: Int) throws {
        let file = RecordingFile(writeAnswers: Array(repeating: -4, count: times))
        let channel = IOTLBChannel(file, acknowledged: [])
        try channel.batchBegin()
        #expect(file.messages == Array(repeating: message(0, 5), count: times + 1))
        #expect(channel.counts == IOTLBMessageCounts(batchBegins: 1))
    }

    @Test func `a message that is always interrupted is given up after 101 attempts`() {
        let file = RecordingFile(writeAnswers: Array(repeating: -4, count: 1000))
        let channel = IOTLBChannel(file, acknowledged: [])
        let error = failure { () throws(VhostError) in try channel.batchBegin() }
        #expect(error?.code == .interrupted)
        #expect(error?.errno == .interrupted)
        #expect(file.messages.count == 101)
        #expect(channel.counts == IOTLBMessageCounts(refused: 1))
    }
}
