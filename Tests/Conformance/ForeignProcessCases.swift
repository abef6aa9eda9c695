internal import CVhostVDPA
package import VhostVDPA

/// What a process that is not the owner is told.
package struct ForeignAnswers: Equatable, Sendable {
    package var update: Int32
    package var invalidate: Int32
    package var setOwner: Int32
    package var setRingSize: Int32
    package var getStatus: Int32
    package var getFeatures: Int32

    package init(_ answers: [Int32]) {
        update = answers[0]
        invalidate = answers[1]
        setOwner = answers[2]
        setRingSize = answers[3]
        getStatus = answers[4]
        getFeatures = answers[5]
    }
}

/// The calls of the process that is not the owner.
package enum ForeignProbe {
    package static let answerCount = 6

    package static func run(_ file: any DeviceFile) throws -> [Int32] {
        let client = Client(file, closes: false)
        let pages = try Pages(1)
        var status: UInt8 = 0
        var features: UInt64 = 0
        return [
            Int32(client.update(0x5000, 4096, pages[0])), Int32(client.invalidate(0x1000, 4096)),
            client.setOwner(), client.setRing(CVHOST_SET_VRING_NUM, 0, 256),
            client.call(CVHOST_VDPA_GET_STATUS, &status),
            client.call(CVHOST_GET_FEATURES, &features),
        ]
    }
}

extension ConformanceCase {
    static let foreignProcess: [ConformanceCase] = [
        ConformanceCase("another process is EFAULT and EPERM, and may read the status") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            let answers = try context.machine.probeFromOtherProcess(client.file)
            let expected = ForeignAnswers([-EFAULT, -EFAULT, -EBUSY, -EPERM, 0, 0])
            try expectEqual(answers, expected, "answers to the other process")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "still mapped")
            try expectEqual(client.isFree(0x5000, pages[0]), true, "nothing was mapped")
        }
    ]
}
