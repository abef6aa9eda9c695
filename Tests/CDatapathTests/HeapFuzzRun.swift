import CDatapath
import TestSupport

/// One random run: a heap of some shape, and steps with weights of the run's own.
struct HeapFuzzRun {
    let model: HeapModel
    private var random: SeededGenerator
    private let largestGranules: Int
    private let granule: UInt64
    private let capacity: Int
    private let weights: [Int]
    private let largestAsk: Int
    private let alignedOneIn: Int
    private var extentsMade: UInt64 = 0

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        granule = random.pick([64, 64, 64, 128, 1024, 4096])
        largestGranules = random.pick([1, 3, 17, 64, 65, 130, 700])
        capacity = 1 + random.below(4)
        let mark = UInt64(random.pick([0, 0, 1, largestGranules / 3 + 1])) * granule
        let limit = random.pick([UInt64.max, .max, .max, 0, 1, 5])
        model = try HeapModel(
            cdp_heap_options(
                granule_byte_count: granule,
                extent_byte_count: UInt64(largestGranules) * granule,
                extent_capacity: UInt32(capacity), low_byte_count: mark, search_limit: limit))
        // Take, give, wrong give, add or remove an extent.
        weights = [
            random.pick([40, 60, 90]), random.pick([30, 55, 80]), 5, random.pick([0, 2, 8]),
        ]
        largestAsk = random.pick([2, 16, largestGranules, largestGranules, 2 * largestGranules])
        alignedOneIn = random.pick([1, 4, 50])
        for _ in 0..<1 + random.below(capacity) { addExtent() }
    }

    mutating func go(steps: Int) throws {
        try model.check()
        for step in 0..<steps {
            do {
                switch random.weighted(weights) {
                case 0: try take()
                case 1: if !model.live.isEmpty { try model.give(random.below(model.live.count)) }
                case 2: try giveWrongly()
                default:
                    if random.chance(oneIn: 2) {
                        addExtent()
                    } else {
                        try model.removeExtent(random.below(capacity))
                    }
                }
                try model.check()
            } catch {
                throw HeapMismatch("step \(step): \(error)")
            }
        }
        try model.drain()
    }

    private mutating func take() throws {
        let granules = 1 + random.below(max(largestAsk, 1))
        var bytes = UInt64(granules) * granule - UInt64(random.below(Int(granule)))
        if random.chance(oneIn: 60) { bytes = random.pick([0, .max, 1 << 63, 1 << 40]) }
        var alignment = UInt64(1) << UInt64(random.below(7))
        if random.chance(oneIn: alignedOneIn) {
            alignment = granule << UInt64(1 + random.below(8))
        }
        try model.take(bytes, alignment: alignment)
    }

    private mutating func giveWrongly() throws {
        // Once given, and not out again under the same serial number.
        if random.chance(oneIn: 2), !model.stale.isEmpty {
            return try model.giveWrongly(model.stale[random.below(model.stale.count)])
        }
        guard let block = model.live.randomElement(using: &random)?.raw else { return }
        var wrong = block
        switch random.below(6) {
        case 0: wrong.address &+= granule
        case 1: wrong.iova &+= granule
        case 2: wrong.address &+= 1
        case 3: wrong.token ^= 1 << 60
        case 4: wrong.token |= 0x3ff_ffff
        default: wrong.token ^= 1 << UInt64(26 + random.below(24))
        }
        // The last node's own number is no change.
        if wrong.token != block.token || wrong.address != block.address || wrong.iova != block.iova
        {
            try model.giveWrongly(wrong)
        }
    }

    private mutating func addExtent() {
        guard let number = (0..<capacity).first(where: { model.oracle.extents[$0] == nil })
        else { return }
        let granules = random.chance(oneIn: 3) ? 1 + random.below(largestGranules) : largestGranules
        // Sometimes at the place of one that was removed; congruent as far as chance has it.
        extentsMade += 1
        let address = (extentsMade % 9 + 1) << 36 | UInt64(random.below(64)) << 12
        let iova = extentsMade << 28 | UInt64(random.below(64)) << 12
        let isAlike = random.chance(oneIn: 2)
        model.addExtent(
            number, address: address, iova: isAlike ? address ^ 1 << 45 : iova, granules: granules)
        if extentsMade > 4 { model.note("extent added") }
    }
}
