import CDatapath
import TestSupport
import Testing

/// Readers on their own threads while one maps, unmaps and gives memory back.
@Suite("Translator tables under readers")
struct TranslatorThreadTests {
    private static let slots = 16

    /// Where the range of a slot is in its nth round: its IOVAs stay, its address changes.
    private static func range(_ slot: Int, _ round: Int) -> MappedRange {
        // A granule, a part of one, a part of two, several with parts at the ends.
        let sizes: [UInt64] = [2 << 20, 0x3000, (2 << 20) + 0x2000, 5 << 20]
        let start = UInt64(slot) * (8 << 20) + (slot % 4 == 2 ? 0x1000 : 0)
        return MappedRange(
            iova: (1 << 32) + start, address: (UInt64(round % 8 + 1) << 36) + start,
            byteCount: sizes[slot % 4])
    }

    /// The writer's words about a slot: 4 * round + 0 its last unmap has returned, + 1 it is being
    /// mapped, + 2 that has returned, + 3 it is being unmapped.
    @Test func `what is mapped hits, and what was unmapped before the call misses`() throws {
        let tables = try #require(TranslatorUnderTest())
        let steps = TestKnobs.count("VDPA_SHARED_STEPS", 20_000)
        let phases = Words(count: Self.slots + 1)
        for slot in 0..<Self.slots {
            for round in 0..<8 { #expect(tables.prepare(Self.range(slot, round)) == 0) }
        }
        let tally = Guarded((hits: 0, misses: 0, wrong: [String]()))
        let crew = ThreadCrew(count: 3)
        crew.runAll { number in
            var random = SeededGenerator(seed: UInt64(number))
            if number == 0 {
                for step in 0..<steps {
                    let slot = random.below(Self.slots)
                    let phase = phases[slot]
                    let range = Self.range(slot, Int(phase / 4))
                    phases[slot] = phase + 1
                    if phase % 4 == 0 {
                        _ = tables.insert(range)
                    } else {
                        tables.remove(range)
                        if random.chance(oneIn: 2) { tables.reclaim(range) }
                    }
                    phases[slot] = phase + 2
                    if step % 32 == 0 { ThreadCrew.giveWay() }
                }
                phases[Self.slots] = 1
                return
            }
            var (hits, misses, wrong) = (0, 0, [String]())
            while phases[Self.slots] == 0 || hits == 0 || misses == 0 {
                let slot = random.below(Self.slots)
                let before = phases[slot]
                let round = Int(before / 4)
                // The place of an unmapped slot is that of the round before.
                let range = Self.range(slot, before % 4 == 0 ? round + 7 : round)
                let offset = UInt64(random.below(Int(range.byteCount)))
                let count = 1 + UInt64(random.below(Int(range.byteCount - offset)))
                let address = tables.address(of: range.iova + offset, count)
                let iova = tables.iova(of: range.address + offset, count)
                let settled = phases[slot] == before ? before % 4 : 1
                var isWrong = false
                if settled == 0 {
                    isWrong = address != nil || iova != nil
                    misses += 1
                } else if settled == 2 {
                    isWrong = address != range.address + offset || iova != range.iova + offset
                    hits += 1
                } else {
                    // In between: nothing, or a place that it has had.
                    let part = (range.address + offset) % (1 << 36)
                    isWrong =
                        address.map { $0 % (1 << 36) != part } ?? false
                        || iova.map { $0 != range.iova + offset } ?? false
                }
                if isWrong, wrong.count < 8 {
                    wrong.append("slot \(slot), phase \(before): \(address ?? 0), \(iova ?? 0)")
                }
            }
            tally.withLock { total in
                total.hits += hits
                total.misses += misses
                total.wrong += wrong
            }
        }
        crew.end()
        let total = tally.withLock { $0 }
        #expect(total.wrong == [])
        #expect(total.hits > 0 && total.misses > 0, "\(total.hits) hits, \(total.misses) misses")
    }
}

/// Words that threads share.
@safe
final class Words: @unchecked Sendable {
    // Safe to send: read by acquire and written by release alone; as long as this.
    private let words: UnsafeMutablePointer<UInt64>

    init(count: Int) {
        unsafe words = .allocate(capacity: count)
        unsafe words.initialize(repeating: 0, count: count)
    }

    deinit { unsafe words.deallocate() }

    subscript(index: Int) -> UInt64 {
        get { unsafe cdp_load_acquire(words + index) }
        set { unsafe cdp_store_release(words + index, newValue) }
    }
}
