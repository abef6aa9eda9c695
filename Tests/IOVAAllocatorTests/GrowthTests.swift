import TestSupport
import Testing

@testable import IOVAAllocator

/// Growth of a live space. The model runs grow theirs now and then, too.
@Suite struct GrowthTests {
    private static let usable = IOVARange(first: 1 << 32, last: (1 << 32) + (1 << 40) - 1)

    @Test("a full space grows when asked to, and never unasked")
    func full() throws {
        var space = try IOVASpace(usable: [Self.usable], regionCapacity: 2, reservationCapacity: 0)
        _ = try space.allocate(byteCount: 4096)
        _ = try space.allocate(byteCount: 4096)
        #expect(throws: IOVASpaceError.capacityExhausted(regionCapacity: 2)) {
            try space.allocate(byteCount: 4096)
        }
        #expect(space.regionCapacity == 2)
        try space.grow(regionCapacity: 3)
        #expect(space.regionCapacity == 3 && space.reservationCapacity == 0)
        _ = try space.allocate(byteCount: 4096)
        #expect(throws: IOVASpaceError.capacityExhausted(regionCapacity: 3)) {
            try space.allocate(byteCount: 4096)
        }
        #expect(space.invariantViolation() == nil)
    }

    @Test("entries of the tree grow, too")
    func entries() throws {
        var space = try IOVASpace(
            usable: [Self.usable], regionCapacity: 1, reservationCapacity: 4, magazine: .off)
        func piece(_ number: UInt64) -> IOVARange {
            let first = Self.usable.first.rawValue + number * 8192
            return IOVARange(first: first, last: first + 4095)
        }
        var number: UInt64 = 0
        var refusal: IOVASpaceError?
        while refusal == nil {
            do {
                try space.reserve(piece(number), fixedPlacement: .guarded)
                number += 1
            } catch { refusal = error }
        }
        #expect(refusal == .entriesExhausted(entryCapacity: 7) && number > 0)
        try space.grow(regionCapacity: 1, reservationCapacity: 40)
        for more in number..<number + 36 {
            try space.reserve(piece(more), fixedPlacement: .guarded)
        }
        #expect(space.invariantViolation() == nil)
    }

    @Test("regions, handles and what is kept outlive growths of a tree of several levels")
    func handlesStay() throws {
        let seed = TestKnobs.seed(0x6706)
        print("seed \(seed): replay with VDPA_SEED=\(seed)")
        var random = SeededGenerator(seed: seed)
        var space = try IOVASpace(usable: [Self.usable], regionCapacity: 16)
        let shared = try SharedIOVASpace(usable: [Self.usable], regionCapacity: 16)
        var (live, sharedLive): ([IOVAAllocation], [IOVAAllocation]) = ([], [])
        for capacity in [16, 17, 100, 1000, 9000] {
            try space.grow(regionCapacity: capacity)
            try shared.grow(regionCapacity: capacity)
            while space.regionCount < capacity {
                live.append(try space.allocate(byteCount: UInt64(1 + random.below(16)) * 4096))
                sharedLive.append(
                    try shared.allocate(byteCount: UInt64(1 + random.below(16)) * 4096))
            }
            for _ in 0..<capacity / 4 {
                let index = random.below(live.count)
                let freed = live.remove(at: index)
                try #require(try space.free(freed.handle) == freed.range)
                let other = sharedLive.remove(at: index)
                try #require(try shared.free(other.handle) == other.range)
            }
            for region in live { try #require(space.entry(region.handle)?.range == region.range) }
            for region in sharedLive {
                try #require(shared.entry(region.handle)?.range == region.range)
            }
            #expect(space.regionCount == live.count && shared.regionCount == live.count)
            #expect(space.invariantViolation() == nil && shared.invariantViolation() == nil)
        }
        #expect(space.tree.height >= 2)
    }

    @Test("a capacity below the present one, or beyond all, is refused and changes nothing")
    func badCapacity() throws {
        var space = try IOVASpace(
            usable: [Self.usable], regionCapacity: 8, reservationCapacity: 16)
        let entryCapacity = space.tree.entryCapacity
        for capacity in [Int.min, 0, 7, 1 << 28, .max] {
            #expect(throws: IOVASpaceError.badCapacity(capacity)) {
                try space.grow(regionCapacity: capacity)
            }
        }
        for capacity in [-1, 15, 1 << 28] {
            #expect(throws: IOVASpaceError.badCapacity(capacity)) {
                try space.grow(regionCapacity: 9, reservationCapacity: capacity)
            }
        }
        #expect(space.regionCapacity == 8 && space.tree.entryCapacity == entryCapacity)
        try space.grow(regionCapacity: 8)
        #expect(space.tree.entryCapacity == entryCapacity)
    }

    /// The blocks of a growth, in order: leaves, inner nodes, slots; shared, also the slots' homes.
    @Test("a growth for which there is no memory changes nothing", arguments: 1...4)
    func noMemory(failing: Int) throws {
        let refusals = Refusals()
        var options = IOVAMetadataOptions()
        options.isRefused = { _ in refusals.isNext() }
        var space = try IOVASpace(
            usable: [Self.usable], regionCapacity: 4, magazine: .off, metadata: options)
        let shared = try SharedIOVASpace(
            usable: [Self.usable], regionCapacity: 4, magazine: .off, metadata: options)
        let region = try space.allocate(byteCount: 4096)
        let other = try shared.allocate(byteCount: 4096)
        let error = IOVASpaceError.noMetadataMemory(regionCapacity: 4000)
        if failing < 4 {
            refusals.expect(failing)
            let entryCapacity = space.tree.entryCapacity
            #expect(throws: error) { try space.grow(regionCapacity: 4000) }
            #expect(space.regionCapacity == 4 && space.tree.entryCapacity == entryCapacity)
            #expect(space.entry(region.handle)?.range == region.range)
        }
        refusals.expect(failing)
        #expect(throws: error) { try shared.grow(regionCapacity: 4000) }
        #expect(shared.regionCapacity == 4 && shared.entry(other.handle)?.range == other.range)
        for _ in 0..<3 {
            _ = try space.allocate(byteCount: 4096)
            _ = try shared.allocate(byteCount: 4096)
        }
        let full = IOVASpaceError.capacityExhausted(regionCapacity: 4)
        #expect(throws: full) { try space.allocate(byteCount: 4096) }
        #expect(throws: full) { try shared.allocate(byteCount: 4096) }
        #expect(space.invariantViolation() == nil && shared.invariantViolation() == nil)
        // Memory again: now it grows.
        try space.grow(regionCapacity: 4000)
        try shared.grow(regionCapacity: 4000)
        _ = try space.allocate(byteCount: 4096)
        _ = try shared.allocate(byteCount: 4096)
        #expect(space.invariantViolation() == nil && shared.invariantViolation() == nil)
    }

    @Test("the larger blocks are had with the advice given at creation")
    func advice() throws {
        let advised = Guarded<[Int]>([])
        let options = IOVAMetadataOptions { _, byteCount in
            advised.withLock { $0.append(byteCount) }
        }
        var space = try IOVASpace(usable: [Self.usable], regionCapacity: 16, metadata: options)
        #expect(advised.withLock { $0 } == [])
        try space.grow(regionCapacity: 1 << 20)
        #expect(advised.withLock { $0.allSatisfy { $0 >= 4 << 20 } && $0.count == 3 })
    }
}

/// Refuses one request for memory of those that come.
private final class Refusals: Sendable {
    private let left = Guarded(0)

    func expect(_ number: Int) { left.withLock { $0 = number } }

    func isNext() -> Bool {
        left.withLock { left in
            left -= 1
            return left == 0
        }
    }
}
