import Foundation
import Testing
import VDPAMemory
import VDPASimulator

/// A failure at any message of a batch leaves everything as it was (the issue's promise).
@Suite("Every call of a change fails once")
struct DomainFailureTests {
    /// EFAULT is the kernel's refusal; EIO is an answer that says nothing about what was done.
    static let answers: [Int32] = [EFAULT, EIO]

    @Test(arguments: DeviceKind.allCases, FailureScenario.allCases)
    func `a failed call leaves tables, space, pins as they were`(
        _ kind: DeviceKind, _ scenario: FailureScenario
    ) throws {
        for errno in DomainFailureTests.answers {
            // The answer makes a difference to what is taken back, not to which of fifty it is.
            if errno == EIO, scenario.leastCallCount > 40 { continue }
            try DomainFailureTests.sweep(kind, scenario, errno)
        }
    }

    /// Fails call 1, 2, ... of the change until it succeeds.
    static func sweep(
        _ kind: DeviceKind, _ scenario: FailureScenario, _ errno: Int32
    ) throws {
        let errno = scenario.surfacing(errno)
        var number = 1
        while number < 500 {
            let subject = try FailureWorld(kind, scenario)
            let before = DomainSnapshot(subject.world)
            let simulator = subject.world.simulator
            simulator.failCall(simulator.calls + number, errno: errno)
            do {
                try subject.act()
                break
            } catch {
                #expect(error.code != .undoIncomplete, "call \(number): \(error)")
                #expect(error.errno == errno, "call \(number): \(error)")
            }
            #expect(DomainSnapshot(subject.world) == before, "call \(number)")
            try subject.expectUsable()
            number += 1
        }
        #expect(number > scenario.leastCallCount, "\(number - 1) calls were made to fail")
    }

    @Test(arguments: DeviceKind.allCases, FailureScenario.allCases)
    func `a device that goes away: what is uncertain is kept, and remap repairs`(
        _ kind: DeviceKind, _ scenario: FailureScenario
    ) throws {
        var number = 1
        while number < 500 {
            let subject = try FailureWorld(kind, scenario)
            let before = DomainSnapshot(subject.world)
            let simulator = subject.world.simulator
            simulator.disappear(atCall: simulator.calls + number)
            do {
                try subject.act()
                break
            } catch {
                simulator.clearFaultPlan()
                try DomainFailureTests.repair(subject, after: error, before, "call \(number)")
            }
            // Of fifty alike, some.
            number += scenario.leastCallCount > 40 && number > 3 ? 7 : 1
        }
        #expect(number > scenario.leastCallCount, "\(number - 1) calls were the last")
    }

    @Test(
        arguments: DeviceKind.allCases,
        [FailureScenario.mixedBatch, .threshold, .oneAllocation, .oneFree, .roomMadeFirst])
    func `a call fails, and one of its undo too`(
        _ kind: DeviceKind, _ scenario: FailureScenario
    ) throws {
        var incomplete = 0
        for first in 1...scenario.leastCallCount {
            // As far as any undo goes; a step of 3 where there are many.
            let step = scenario.leastCallCount > 12 ? 3 : 1
            for second in stride(from: first + 1, to: first + 34, by: step) {
                let subject = try FailureWorld(kind, scenario)
                let before = DomainSnapshot(subject.world)
                let simulator = subject.world.simulator
                simulator.failCall(simulator.calls + first, errno: EIO)
                simulator.failCall(simulator.calls + second, errno: EIO)
                let what = "calls \(first) and \(second)"
                do {
                    try subject.act()
                    Issue.record("\(what): nothing was refused")
                } catch {
                    simulator.clearFaultPlan()
                    if error.code == .undoIncomplete { incomplete += 1 }
                    try DomainFailureTests.repair(subject, after: error, before, what)
                }
            }
        }
        #expect(incomplete > 0, "no undo was made to fail")
    }

    /// After a failure that may have left something: it is said, kept from use, and repaired.
    static func repair(
        _ subject: FailureWorld, after error: DMAError, _ before: DomainSnapshot, _ what: String
    ) throws {
        let world = subject.world
        let comment = Comment(rawValue: "\(what): \(error)")
        if error.code != .undoIncomplete {
            #expect(DomainSnapshot(world) == before, comment)
            try subject.expectUsable()
            return
        }
        let broken = world.domain.statistics
        #expect(
            broken.quarantinedExtents > before.quarantinedExtents || broken.lostExtents > 0,
            comment)
        #expect(!error.remedy.isEmpty && error.message.contains("taken back"), comment)
        // What may still be mapped is not handed out again.
        let reachable = world.simulator.kernelEntries()
        if let more = try? world.allocate(1, byteCount: 4096, .init(isolation: .dedicated)) {
            let info = try world.domain.info(more[0])
            #expect(!reachable.contains { $0.range.overlaps(info.range) }, comment)
            try world.free(more)
        }
        try world.domain.remap()
        let after = world.domain.statistics
        #expect(after.quarantinedExtents == 0 && after.lostExtents == 0, comment)
        #expect(after.regions == before.regions, comment)
        if before.quarantinedExtents == 0 {
            #expect(DomainSnapshot(world) == before, comment)
        }
        try subject.expectUsable()
    }

    @Test func `no mapping and no descriptor of this process is left behind`() async {
        // In a process of its own: other tests allocate as well.
        await #expect(processExitsWith: .success) {
            for kind in [DeviceKind.setMap, .virtualAddress] {
                for scenario in FailureScenario.allCases {
                    try DomainFailureTests.checkFootprint(kind, scenario)
                }
            }
        }
    }

    static func checkFootprint(_ kind: DeviceKind, _ scenario: FailureScenario) throws {
        for number in 1...scenario.leastCallCount {
            let subject = try FailureWorld(kind, scenario)
            let before = try ProcessFootprint()
            let simulator = subject.world.simulator
            simulator.failCall(
                simulator.calls + number, errno: scenario.surfacing(EFAULT))
            #expect(throws: DMAError.self) { try subject.act() }
            let after = try ProcessFootprint()
            #expect(after == before, "\(kind) \(scenario) call \(number)")
            #expect(before.mappings > 0)
            #expect(before.descriptors > 0)
        }
        let empty = try ProcessFootprint()
        #expect(empty.mappings == 0, "\(kind) \(scenario): \(empty)")
    }
}

/// The library's memory in this process, and all of its descriptors.
struct ProcessFootprint: Equatable {
    var mappings = 0
    var descriptors = 0

    init() throws {
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/maps"))
        var text = Data()
        while let part = try file.read(upToCount: 1 << 16), !part.isEmpty { text += part }
        try file.close()
        mappings =
            String(decoding: text, as: UTF8.self).split(separator: "\n")
            .count { $0.contains("/memfd:vdpa-memory") || $0.contains("/dev/zero") }
        descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    }
}
