import Foundation
import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

/// A failure at any message of a batch leaves everything as it was (the issue's promise).
@Suite("Every call of a change fails once")
struct DomainFailureTests {
    /// EFAULT is the kernel's usual refusal; ENOMEM, ENOSPC and EPERM others of its; EIO is an
    /// answer that says nothing about what was done.
    static let answers: [Int32] = [EFAULT, EIO, ENOMEM, ENOSPC, EPERM]

    /// Of hundreds of calls alike each 13th fails; with 1 (`make soak`) every call, and with every
    /// answer.
    static let sweepStride = TestKnobs.count("VDPA_SWEEP_STRIDE", 13)
    static var isExhaustive: Bool { sweepStride == 1 }

    @Test(arguments: DeviceKind.allCases, FailureScenario.allCases)
    func `a failed call leaves tables, space, pins as they were`(
        _ kind: DeviceKind, _ scenario: FailureScenario
    ) throws {
        let count = try FailureWorld(kind, scenario).countCalls()
        #expect(count >= scenario.leastCallCount, "\(count) calls are made")
        let subject = try FailureWorld(kind, scenario)
        for number in DomainFailureTests.numbers(of: count, scenario) {
            for errno in DomainFailureTests.answers(to: number, of: count, scenario) {
                // A long one goes on with the same domain, as a failure leaves it as it was.
                let next = scenario.isLong ? subject : try FailureWorld(kind, scenario)
                try DomainFailureTests.fail(number, with: scenario.surfacing(errno), next)
            }
        }
        if scenario.isLong { try subject.expectUsable() }
    }

    /// The calls that are made to fail: all; of hundreds alike the first, the last and some.
    static func numbers(of count: Int, _ scenario: FailureScenario) -> [Int] {
        (1...count).filter {
            !scenario.isLong || $0 <= 5 || $0 > count - 5 || $0 % sweepStride == 0
        }
    }

    /// What a call is answered. The answer makes a difference to what is taken back, not to which
    /// of many it is: so EFAULT, and another by turns; the first and the last call get all.
    static func answers(to number: Int, of count: Int, _ scenario: FailureScenario) -> [Int32] {
        if scenario.isLong && !isExhaustive { return [EFAULT] }
        if isExhaustive || number == 1 || number == count { return answers }
        return [EFAULT, answers[1 + number % (answers.count - 1)]]
    }

    /// Fails one call of the change.
    static func fail(_ number: Int, with errno: Int32, _ subject: FailureWorld) throws {
        let before = subject.snapshot
        let simulator = subject.failing
        let what: Comment = "errno \(errno), call \(number)"
        simulator.failCall(simulator.calls + number, errno: errno)
        do {
            try subject.act()
            Issue.record("nothing was refused: \(what)")
        } catch {
            #expect(error.code != .undoIncomplete, "\(what): \(error)")
            #expect(error.errno == errno, "\(what): \(error)")
        }
        #expect(subject.snapshot == before, what)
        if !subject.scenario.isLong { try subject.expectUsable() }
    }

    @Test(arguments: DeviceKind.allCases, answers)
    func `every call of a remap fails once: it is said, and the next remap repairs`(
        _ kind: DeviceKind, _ errno: Int32
    ) throws {
        let subject = try FailureWorld(kind, .secondDevice)
        let before = subject.snapshot
        for simulator in [subject.world.simulator, subject.failing] {
            var number = 1
            while number < 100 {
                simulator.failCall(simulator.calls + number, errno: errno)
                do {
                    try subject.world.domain.remap()
                    simulator.clearFaultPlan()
                    break
                } catch {
                    #expect(error.code == .undoIncomplete && error.errno == errno, "\(error)")
                    // A batch that could not even begin has changed nothing.
                    let isUntouched = subject.snapshot == before
                    #expect(subject.world.domain.needsRemap || isUntouched, "call \(number)")
                }
                try subject.world.domain.remap()
                #expect(subject.snapshot == before, "call \(number), errno \(errno)")
                #expect(!subject.world.domain.needsRemap, "call \(number)")
                number += 1
            }
            #expect(number > 6, "\(number - 1) calls were made to fail")
        }
        try subject.expectUsable()
    }

    @Test(arguments: DeviceKind.allCases, FailureScenario.allCases)
    func `a device that goes away: what is uncertain is kept, and remap repairs`(
        _ kind: DeviceKind, _ scenario: FailureScenario
    ) throws {
        var number = 1
        while number < 500 {
            let subject = try FailureWorld(kind, scenario)
            let before = subject.snapshot
            let simulator = subject.failing
            simulator.disappear(atCall: simulator.calls + number)
            do {
                try subject.act()
                break
            } catch {
                simulator.clearFaultPlan()
                try DomainFailureTests.repair(subject, after: error, before, "call \(number)")
            }
            // Of fifty alike, some.
            number += scenario.isLong && number > 3 && !DomainFailureTests.isExhaustive ? 41 : 1
        }
        #expect(number > scenario.leastCallCount, "\(number - 1) calls were the last")
    }

    @Test(
        arguments: DeviceKind.allCases,
        [
            FailureScenario.mixedBatch, .threshold, .oneAllocation, .oneFree, .roomMadeFirst,
            .secondDevice,
        ])
    func `a call fails, and one of its undo too`(
        _ kind: DeviceKind, _ scenario: FailureScenario
    ) throws {
        var incomplete = 0
        // Every pair on some kind of device; `make soak` takes each on all of them.
        let turn = DeviceKind.allCases.firstIndex(of: kind) ?? 0
        let takesAll = DomainFailureTests.isExhaustive || scenario.leastCallCount == 1
        for first in 1...scenario.leastCallCount {
            // As far as any undo goes; a step of 3 where there are many.
            let step = scenario.leastCallCount > 12 ? 3 : 1
            for (index, second) in stride(from: first + 1, to: first + 34, by: step).enumerated() {
                guard takesAll || (first + index + turn) % 3 == 0 else { continue }
                let subject = try FailureWorld(kind, scenario)
                let before = subject.snapshot
                let simulator = subject.failing
                let start = simulator.calls
                simulator.failCall(start + first, errno: EIO)
                simulator.failCall(start + second, errno: EIO)
                let what = "calls \(first) and \(second)"
                do {
                    try subject.act()
                    Issue.record("\(what): nothing was refused")
                } catch {
                    let callCount = simulator.calls - start
                    simulator.clearFaultPlan()
                    if error.code == .undoIncomplete { incomplete += 1 }
                    try DomainFailureTests.repair(subject, after: error, before, what)
                    // The undo was over before: a later second one would be this run once more.
                    if callCount < second { break }
                }
            }
        }
        #expect(incomplete > 0, "no undo was made to fail")
    }

    /// After a failure that may have left something: it is said, kept from use, and repaired.
    static func repair(
        _ subject: FailureWorld, after error: DMAError, _ before: FailureSnapshot, _ what: String
    ) throws {
        let world = subject.world
        let comment = Comment(rawValue: "\(what): \(error)")
        if error.code != .undoIncomplete {
            #expect(subject.snapshot == before, comment)
            try subject.expectUsable()
            return
        }
        let broken = world.domain.statistics
        #expect(
            broken.quarantinedExtents > before.domain.quarantinedExtents || broken.lostExtents > 0,
            comment)
        #expect(!error.remedy.isEmpty && error.message.contains("taken back"), comment)
        // What may still be mapped is not handed out again.
        let reachable = subject.failing.kernelEntries()
        if let more = try? world.allocate(1, byteCount: 4096, .init(isolation: .dedicated)) {
            let info = try world.domain.info(more[0])
            #expect(!reachable.contains { $0.range.overlaps(info.range) }, comment)
            try world.free(more)
        }
        try world.domain.remap()
        let after = world.domain.statistics
        #expect(after.quarantinedExtents == 0 && after.lostExtents == 0, comment)
        #expect(after.regions == before.domain.regions, comment)
        if before.domain.quarantinedExtents == 0 {
            #expect(subject.snapshot == before, comment)
        }
        try subject.expectUsable()
    }

    @Test func `no mapping and no descriptor of this process is left behind`() async {
        // In a process of its own: other tests allocate as well.
        await #expect(processExitsWith: .success) {
            for kind in [DeviceKind.setMap, .virtualAddress] {
                for scenario in FailureScenario.allCases where !scenario.isLong {
                    try DomainFailureTests.checkFootprint(kind, scenario)
                }
            }
        }
    }

    static func checkFootprint(_ kind: DeviceKind, _ scenario: FailureScenario) throws {
        for number in 1...scenario.leastCallCount {
            let subject = try FailureWorld(kind, scenario)
            let before = try ProcessFootprint()
            let simulator = subject.failing
            simulator.failCall(
                simulator.calls + number, errno: scenario.surfacing(EFAULT))
            #expect(throws: DMAError.self) { try subject.act() }
            let after = try ProcessFootprint()
            #expect(after == before, "\(kind) \(scenario) call \(number)")
            #expect(before.mappings > 0)
            #expect(!before.descriptors.isEmpty)
        }
        let empty = try ProcessFootprint()
        #expect(empty.mappings == 0, "\(kind) \(scenario): \(empty)")
    }
}

/// The library's memory in this process, and the descriptors by what they are.
struct ProcessFootprint: Equatable {
    var mappings = 0
    var descriptors: [String] = []

    init() throws {
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/maps"))
        var text = Data()
        while let part = try file.read(upToCount: 1 << 16), !part.isEmpty { text += part }
        try file.close()
        mappings =
            String(decoding: text, as: UTF8.self).split(separator: "\n")
            .count { $0.contains("/memfd:vdpa-memory") || $0.contains("/dev/zero") }
        // The test runner's, which come and go at its leisure; the library makes none of these.
        let foreign = ["pipe:", "anon_inode:[event", "anon_inode:[timerfd"]
        let links = "/proc/self/fd"
        descriptors = try FileManager.default.contentsOfDirectory(atPath: links)
            .compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "\(links)/\($0)")
            }
            .filter { link in !foreign.contains { link.hasPrefix($0) } }
            .sorted()
    }
}
