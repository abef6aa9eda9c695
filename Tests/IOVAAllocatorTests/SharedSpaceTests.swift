import IOVAAllocator
import TestSupport
import Testing

/// The tests of shared spaces, one after the other: one of them takes all thread numbers there are,
/// and others expect that a thread has one.
@Suite(.serialized) enum SharedSpace {}

extension SharedSpace {
    /// What threads owe each other on a shared space, one step at a time.
    @Suite struct StepTests {
        private let page: UInt64 = 4096

        private func space(
            pages: UInt64, capacity: Int = 1024, magazine: IOVAMagazineLimits? = nil
        ) throws -> SharedIOVASpace {
            try SharedIOVASpace(
                usable: [IOVARange(first: 1 << 32, last: (1 << 32) + pages * page - 1)],
                regionCapacity: capacity,
                magazine: magazine ?? IOVAMagazineLimits(ranges: 64, byteCount: .max),
                threadCache: magazine ?? IOVAMagazineLimits(ranges: 64, byteCount: .max))
        }

        @Test("a region freed on another thread is reused there and free for everybody")
        func crossThreadFree() throws {
            let crew = ThreadCrew(count: 2)
            defer { crew.end() }
            let space = try space(pages: 16)
            let region = try crew.run(on: 0) { () throws(IOVASpaceError) in
                try space.allocate(byteCount: page)
            }
            let freed = try crew.run(on: 1) { () throws(IOVASpaceError) in
                try space.free(region.handle)
            }
            #expect(freed == region.range)
            #expect(space.entry(containing: region.range.first) == nil)
            #expect(space.entry(region.handle) == nil)
            #expect(space.usedByteCount == 0 && space.freeByteCount == 16 * page)
            let again = try crew.run(on: 1) { () throws(IOVASpaceError) in
                try space.allocate(byteCount: page)
            }
            #expect(again.range == region.range && again.handle != region.handle)
            #expect(throws: IOVASpaceError.noSuchRegion) {
                try crew.run(on: 0) { () throws(IOVASpaceError) in try space.free(region.handle) }
            }
            #expect(space.invariantViolation() == nil)
        }

        @Test(
            "a space that is full of other threads' cached ranges is not full",
            arguments: [false, true])
        func fullWhileOthersKeepTheRanges(isExact: Bool) throws {
            let crew = ThreadCrew(count: 4)
            defer { crew.end() }
            // By its holes, and by its capacity.
            let space = try space(pages: 16, capacity: isExact ? 16 : 64)
            for thread in 0..<3 {
                try crew.run(on: thread) { () throws(IOVASpaceError) in
                    var regions: [IOVAAllocation] = []
                    for _ in 0..<5 { regions.append(try space.allocate(byteCount: page)) }
                    for region in regions { try space.free(region.handle) }
                }
            }
            #expect(space.cachedByteCount >= 10 * page)
            for _ in 0..<16 {
                _ = try crew.run(on: 3) { () throws(IOVASpaceError) in
                    try space.allocate(byteCount: page)
                }
            }
            let refusal: IOVASpaceError =
                isExact
                ? .capacityExhausted(regionCapacity: 16)
                : .noSpace(byteCount: page, alignment: page, largestHole: 0)
            #expect(throws: refusal) {
                try crew.run(on: 0) { () throws(IOVASpaceError) in
                    _ = try space.allocate(byteCount: page)
                }
            }
            #expect(space.regionCount == 16 && space.freeByteCount == 0)
            #expect(space.invariantViolation() == nil)
        }

        @Test(
            "what an ended thread kept can be had whole by another, without its number and with it")
        func endedThread() throws {
            let space = try space(pages: 64)
            let whole = 64 * page
            for _ in 0..<2 {
                let crew = ThreadCrew(count: 1)
                try crew.run(on: 0) { () throws(IOVASpaceError) in
                    var regions: [IOVAAllocation] = []
                    for _ in 0..<64 { regions.append(try space.allocate(byteCount: page)) }
                    for region in regions { try space.free(region.handle) }
                }
                crew.end()
                #expect(space.cachedByteCount > 0, "the thread has left nothing in its cache")
            }
            // This thread or another: whichever, it is not the one that ended.
            let all = try space.allocate(byteCount: whole, alignment: page)
            #expect(all.range.byteCount == whole)
            #expect(space.cachedByteCount == 0)
            #expect(space.invariantViolation() == nil)
        }

        @Test("whatever needs all that is free has all of it, whoever keeps it")
        func placements() throws {
            let crew = ThreadCrew(count: 2)
            defer { crew.end() }
            let space = try space(pages: 32)
            let range = IOVARange(first: 1 << 32, last: (1 << 32) + 32 * page - 1)
            func keep() throws {
                for thread in 0..<2 {
                    try crew.run(on: thread) { () throws(IOVASpaceError) in
                        var regions: [IOVAAllocation] = []
                        for _ in 0..<8 { regions.append(try space.allocate(byteCount: page)) }
                        for region in regions { try space.free(region.handle) }
                    }
                }
                #expect(space.cachedByteCount > 0)
            }
            for placement: IOVAPlacement in [
                .fixed(range.first), .anywhere(.lowest), .anywhere(.highest),
                .within(range, .lowest),
                .within(range, .any),
            ] {
                try keep()
                let region = try space.allocate(byteCount: 32 * page, placement: placement)
                #expect(region.range == range)
                try space.free(region.handle)
            }
            try keep()
            try space.reserve(range, fixedPlacement: .guarded)
            try space.cancelReservation(range, fixedPlacement: .guarded)
            try keep()
            try space.withdrawUsable(range)
            #expect(space.freeByteCount == 0)
            try space.addUsable(range)
            try keep()
            space.flushMagazine()
            #expect(space.cachedByteCount == 0 && space.largestHole() == 32 * page)
            #expect(space.invariantViolation() == nil)
        }

        @Test(
            "a quarantined region is not freed by its handle, on any thread, until it is released")
        func quarantine() throws {
            let crew = ThreadCrew(count: 2)
            defer { crew.end() }
            let space = try space(pages: 8)
            let region = try crew.run(on: 0) { () throws(IOVASpaceError) in
                try space.allocate(byteCount: page)
            }
            try crew.run(on: 1) { () throws(IOVASpaceError) in try space.quarantine(region.handle) }
            for thread in 0..<2 {
                #expect(throws: IOVASpaceError.noSuchRegion) {
                    try crew.run(on: thread) { () throws(IOVASpaceError) in
                        try space.free(region.handle)
                    }
                }
            }
            #expect(space.entry(region.handle)?.kind == .quarantined)
            let released = try crew.run(on: 0) { () throws(IOVASpaceError) in
                try space.releaseQuarantined(region.handle)
            }
            #expect(released == region.range)
            #expect(space.freeByteCount == 8 * page)
            #expect(space.invariantViolation() == nil)
        }

        @Test("with the magazine off nothing is kept by any thread")
        func magazineOff() throws {
            let crew = ThreadCrew(count: 2)
            defer { crew.end() }
            let space = try space(pages: 8, capacity: 8, magazine: .off)
            for thread in [0, 1, 0, 1] {
                try crew.run(on: thread) { () throws(IOVASpaceError) in
                    var regions: [IOVAAllocation] = []
                    for _ in 0..<8 { regions.append(try space.allocate(byteCount: page)) }
                    for region in regions { try space.free(region.handle) }
                }
                #expect(space.cachedByteCount == 0 && space.largestHole() == 8 * page)
            }
            #expect(space.invariantViolation() == nil)
        }

        @Test("the sizes of a full cache make room for others, and nothing is lost")
        func fullCache() throws {
            let space = try SharedIOVASpace(
                usable: [IOVARange(first: 1 << 32, last: (1 << 40) - 1)], regionCapacity: 4096,
                magazine: IOVAMagazineLimits(ranges: 64, rangesPerSize: 16),
                threadCache: IOVAMagazineLimits(ranges: 40, rangesPerSize: 12))
            var regions: [IOVAAllocation] = []
            for round in 0..<4 {
                for pages in 1...20 as ClosedRange<UInt64> {
                    for _ in 0..<(20 + round) {
                        regions.append(try space.allocate(byteCount: pages * page))
                    }
                }
                #expect(space.invariantViolation() == nil)
                for region in regions { try space.free(region.handle) }
                regions = []
                #expect(space.regionCount == 0)
                #expect(space.invariantViolation() == nil)
            }
            #expect(space.freeByteCount == (1 << 40) - (1 << 32))
        }

        @Test("impossible requests are refused as a space with one owner refuses them")
        func refusals() throws {
            let space = try space(pages: 8)
            #expect(throws: IOVASpaceError.badSize(byteCount: 0)) {
                try space.allocate(byteCount: 0)
            }
            #expect(throws: IOVASpaceError.badSize(byteCount: .max)) {
                try space.allocate(byteCount: .max)
            }
            #expect(throws: IOVASpaceError.badAlignment(3)) {
                try space.allocate(byteCount: page, alignment: 3)
            }
            #expect(throws: IOVASpaceError.badAlignment(0)) {
                try space.allocate(byteCount: page, alignment: 0)
            }
            #expect(throws: IOVASpaceError.noSuchRegion) {
                try space.free(IOVAHandle(slot: .max, generation: 1))
            }
            #expect(throws: IOVASpaceError.badCapacity(0)) {
                try SharedIOVASpace(usable: [], regionCapacity: 0)
            }
        }
    }
}
