import Foundation
import Glibc
import HostMemory
import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

/// Every host system call that an allocation makes through the domain fails once.
@Suite("Every host call behind a region fails once")
struct DomainHostFailureTests {
    /// Calls in the order in which they were made, and which of them is to fail; from then on all
    /// of its kind do, as the domain asks again for a smaller extent.
    private final class Plan: Sendable {
        private struct State: Sendable {
            var calls: [SystemCall] = []
            var failing: Int?
            var code: Int32 = 0
        }
        private let state = Guarded(State())

        /// From now on: the number counts from here, 1 first.
        func start(failing: Int?, code: Int32) {
            state.withLock { $0 = State(failing: failing, code: code) }
        }

        var calls: [SystemCall] { state.withLock { $0.calls } }

        func fault(_ call: SystemCall) -> Int32? {
            state.withLock { state in
                state.calls.append(call)
                guard let failing = state.failing, state.calls.count >= failing,
                    state.calls[failing - 1] == call
                else { return nil }
                return state.code
            }
        }
    }

    /// Steps that may fail without harm: the page size is read from smaps all the same.
    private static let bestEffort: Set<SystemCall> = [.adviseHugepage, .adviseOrdinary, .collapse]

    enum Shape: String, CaseIterable, Sendable {
        /// An extent that others share, a mapping of its own, both in one batch.
        case carved, dedicated, batch
    }

    @Test(arguments: DeviceKind.allCases, Shape.allCases)
    func `a failed call leaves nothing, and the domain works`(
        _ kind: DeviceKind, _ shape: Shape
    ) throws {
        let codes: [Int32] = [ENOMEM, EINVAL, EMFILE]
        // Nothing reaches the device: each call fails with each code, though not on every kind,
        // where `make soak` makes it so.
        let isExhaustive = DomainFailureTests.isExhaustive
        let turn = DeviceKind.allCases.firstIndex(of: kind) ?? 0
        for first in isExhaustive ? Array(codes.indices) : [turn % codes.count] {
            let turned = Array(codes[first...] + codes[..<first])
            try DomainHostFailureTests.sweep(kind, shape, turned) {}
        }
    }

    @Test func `no mapping and no descriptor of this process is left behind`() async {
        // In a process of its own: other tests allocate as well.
        await #expect(processExitsWith: .success) {
            for shape in Shape.allCases {
                let before = try ProcessFootprint()
                try DomainHostFailureTests.sweep(.setMap, shape, [ENOMEM]) {
                    let now = try ProcessFootprint()
                    #expect(now == before, "\(shape)")
                }
                #expect(before.mappings == 0 && !before.descriptors.isEmpty)
            }
        }
    }

    /// - Parameters:
    ///   - codes: what the calls fail with, by turns.
    ///   - check: run after each failure, with the region freed where there was one.
    static func sweep(
        _ kind: DeviceKind, _ shape: Shape, _ codes: [Int32], _ check: () throws -> Void
    ) throws {
        let plan = Plan()
        var options = DMADomain.Options()
        options.hostCalls = SystemCalls { plan.fault($0) }
        let world = try DomainWorld(kind.configuration, options)
        let before = DomainSnapshot(world)
        var failed: Set<SystemCall> = []
        var number = 1
        while number < 200 {
            let code = codes[number % codes.count]
            plan.start(failing: number, code: code)
            let messages = world.messages
            var error: DMAError?
            do throws(DMAError) {
                try world.free(try act(world, shape))
                try world.domain.trim()
            } catch let refused {
                error = refused
                #expect(refused.code == .hostMemory, "call \(number): \(refused)")
                #expect(!refused.remedy.isEmpty && !refused.message.isEmpty)
                #expect(world.messages == messages, "nothing was sent")
            }
            let made = plan.calls
            #expect(DomainSnapshot(world) == before, "\(shape), errno \(code), call \(number)")
            try check()
            guard made.count >= number else {
                #expect(error == nil)
                break
            }
            let call = made[number - 1]
            failed.insert(call)
            #expect(
                error != nil || bestEffort.contains(call), "\(call.rawValue) failed unnoticed")
            number += 1
        }
        let expected: Set<SystemCall> = [
            .memfdCreate, .truncate, .map, .adviseFork, .populate, .readSmaps, .queryNodes,
        ]
        #expect(failed.isSuperset(of: expected), "not reached: \(expected.subtracting(failed))")
        plan.start(failing: nil, code: 0)
        try expectConsistent(world, try act(world, shape))
    }

    static func act(_ world: DomainWorld, _ shape: Shape) throws(DMAError) -> [RegionID] {
        let small = AllocationOptions(pages: .exactly(.size4KiB))
        let own = AllocationOptions(pages: .exactly(.size4KiB), isolation: .dedicated)
        return try world.domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            if shape != .dedicated {
                ids.append(try batch.allocate(byteCount: 4096, options: small))
            }
            if shape != .carved { ids.append(try batch.allocate(byteCount: 3 << 20, options: own)) }
            return ids
        }
    }
}
