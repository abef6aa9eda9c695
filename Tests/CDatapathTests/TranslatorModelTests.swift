import CDatapath
import TestSupport
import Testing

/// Random ranges at awkward places, against a list that is searched from end to end.
@Suite("Translator tables against a list")
struct TranslatorModelTests {
    /// What the tables should say.
    private struct Model {
        var live: [MappedRange] = []

        /// From `source` on: the target and how many bytes up to `limit` go on in one piece.
        func run(_ source: UInt64, _ limit: UInt64, byIOVA: Bool) -> (UInt64, UInt64)? {
            func part(_ at: UInt64) -> (target: UInt64, left: UInt64)? {
                for range in live {
                    let (from, to) =
                        byIOVA ? (range.iova, range.address) : (range.address, range.iova)
                    if at >= from, at - from < range.byteCount {
                        return (to + (at - from), range.byteCount - (at - from))
                    }
                }
                return nil
            }
            guard limit > 0, let first = part(source) else { return nil }
            var count = min(first.left, limit)
            while count < limit, source &+ count > source, let next = part(source + count),
                first.target &+ count > first.target, next.target == first.target + count
            {
                count += min(next.left, limit - count)
            }
            return (first.target, count)
        }
    }

    private static let page: UInt64 = 4096
    private static let granule: UInt64 = 2 << 20
    private static let gib: UInt64 = 1 << 30
    private static let sector: UInt64 = 1 << 47

    /// Boundaries near which ranges lie: few, so that they meet, and far apart.
    private static let anchors: [UInt64] = [
        0, granule, gib, 2 * gib, 513 * gib, sector, 3 * sector - gib, 1 << 63, 0 &- gib,
    ]

    private static func place(_ byteCount: UInt64, _ random: inout SeededGenerator) -> UInt64 {
        let unit = random.pick([page, page, granule, gib])
        let near = random.pick(anchors) &+ UInt64(random.below(8)) &* unit
        let start = random.chance(oneIn: 3) ? near &- byteCount : near
        // Neither side wraps.
        return start > ~(byteCount - 1) ? ~(byteCount - 1) & ~(page - 1) : start
    }

    private static func range(
        near last: MappedRange?, _ random: inout SeededGenerator
    ) -> MappedRange {
        let pages: UInt64 =
            switch random.below(8) {
            case 0...2: UInt64(1 + random.below(16))
            case 3: UInt64(500 + random.below(30))
            case 4, 5: 512 * UInt64(1 + random.below(4))
            case 6: 512 * 512 + UInt64(random.below(3)) - 1
            default: 512 * 512 * UInt64(1 + random.below(2))
            }
        let byteCount = pages * page
        // Often behind another one on both sides, so that both are one piece.
        if let last, random.chance(oneIn: 3), last.lastIOVA < ~byteCount,
            last.lastAddress < ~byteCount
        {
            return MappedRange(
                iova: last.lastIOVA + 1, address: last.lastAddress + 1, byteCount: byteCount)
        }
        return MappedRange(
            iova: place(byteCount, &random), address: place(byteCount, &random),
            byteCount: byteCount)
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func `every query answers what a search of the list answers`(_ usual: UInt64) throws {
        let seed = TestKnobs.seed(usual)
        var random = SeededGenerator(seed: seed)
        let tables = try #require(TranslatorUnderTest(iovaFirst: random.pick(Self.anchors)))
        var model = Model()
        for step in 0..<TestKnobs.count("VDPA_TRANSLATE_STEPS", 400) {
            if model.live.count < 24, random.below(10) < 6 {
                let range = Self.range(near: model.live.last, &random)
                guard !model.live.contains(where: { $0.meets(range) }) else { continue }
                #expect(tables.prepare(range, inParts: random.chance(oneIn: 8)) == 0)
                #expect(!tables.insert(range))
                model.live.append(range)
            } else if !model.live.isEmpty {
                let range = model.live.remove(at: random.below(model.live.count))
                tables.remove(range)
                if random.chance(oneIn: 2) { tables.reclaim(range) }
                #expect(tables.iova(of: range.address, 1) == nil)
                #expect(tables.address(of: range.lastIOVA, 1) == nil)
            }
            for _ in 0..<40 {
                if let wrong = mismatch(tables, model, &random) {
                    Issue.record("step \(step): \(wrong); replay with VDPA_SEED=\(seed)")
                    return
                }
            }
        }
        for range in model.live {
            tables.remove(range)
            tables.reclaim(range)
        }
    }

    /// One query of each kind near an end of a live range, or near an anchor.
    private func mismatch(
        _ tables: TranslatorUnderTest, _ model: Model, _ random: inout SeededGenerator
    ) -> String? {
        let byIOVA = random.chance(oneIn: 2)
        var source = random.pick(Self.anchors)
        if !model.live.isEmpty {
            let range = random.pick(model.live)
            let (first, last) =
                byIOVA ? (range.iova, range.lastIOVA) : (range.address, range.lastAddress)
            source = random.pick([first, last, last &+ 1, first + range.byteCount / 2])
        }
        source = source &+ UInt64(random.below(3)) &- 1
        let limit = random.pick([
            0, 1, 2, 64, 4095, 4096, 4097, Self.granule - 1, Self.granule, Self.granule + 1,
            Self.gib, 3 * Self.gib, .max,
        ])
        let expected = model.run(source, limit, byIOVA: byIOVA)
        let run =
            byIOVA ? tables.run(iova: source, limit) : tables.run(address: source, limit)
        let whole =
            byIOVA ? tables.address(of: source, limit) : tables.iova(of: source, limit)
        let text = "\(source) by \(byIOVA ? "IOVA" : "address"), \(limit) bytes"
        if run.byte_count != expected?.1 ?? 0 || expected.map({ $0.0 != run.target }) ?? false {
            return "\(text): a run \(run), not \(String(describing: expected))"
        }
        if whole != expected.flatMap({ $0.1 == limit ? $0.0 : nil }) {
            return "\(text): \(String(describing: whole)), not \(String(describing: expected))"
        }
        return nil
    }
}
