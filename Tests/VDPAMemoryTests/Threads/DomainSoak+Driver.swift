import IOVAAllocator
import TestSupport
import VDPAMemory
import VDPASimulator

// The driver's threads: they change the domain while the device runs.

extension DomainSoak {
    func playDriver(steps: Int, thread: Int) {
        var random = SeededGenerator(seed: seed &* 0x1_0001 &+ UInt64(thread))
        let memory = SharedMemory(pages: 64)
        defer { driversLeft.withLock { $0 -= 1 } }
        for step in 0..<steps {
            do {
                try act(thread, memory, &random)
            } catch {
                record.problem("thread \(thread), step \(step): \(error)")
                return
            }
        }
    }

    private func act(
        _ thread: Int, _ memory: SharedMemory, _ random: inout SeededGenerator
    ) throws(DMAError) {
        switch random.weighted([24, 24, 10, 12, 3, 2]) {
        case 0: try allocate(&random)
        case 1: try free(&random)
        case 2: try batch(&random)
        case 3: try register(thread, memory, &random)
        case 4:
            try domain.flush()
            record.count("flushes")
        default:
            try domain.trim()
            record.count("trims")
        }
    }

    private func options(_ random: inout SeededGenerator) -> AllocationOptions {
        var options = AllocationOptions(
            access: random.pick([.readWrite, .readWrite, .readWrite, .readOnly, .writeOnly]),
            isolation: random.chance(oneIn: 4) ? .dedicated : .automatic)
        options.isZeroedWhenFreed = random.chance(oneIn: 16)
        return options
    }

    private func size(_ random: inout SeededGenerator) -> Int {
        random.chance(oneIn: 24) ? 2 << 20 : 4096 * (1 + random.below(16))
    }

    private func allocate(_ random: inout SeededGenerator) throws(DMAError) {
        guard !board.isFull else { return try free(&random) }
        let size = size(&random)
        let region = try domain.allocate(byteCount: size, options: options(&random))
        try adopt(region.relinquish(), &random, isNew: true)
        record.count("allocations")
    }

    private func free(_ random: inout SeededGenerator) throws(DMAError) {
        guard let region = board.take(random.below(1 << 20)) else { return }
        inspect(region)
        try domain.free(region.id)
        record.count("frees")
    }

    /// Some go and some come, in one batch.
    private func batch(_ random: inout SeededGenerator) throws(DMAError) {
        var old: [SoakRegion] = []
        for _ in 0..<random.below(4) {
            if let region = board.take(random.below(1 << 20)) { old.append(region) }
        }
        for region in old { inspect(region) }
        var wanted: [(Int, AllocationOptions)] = []
        for _ in 0..<(board.isFull ? 0 : 1 + random.below(3)) {
            wanted.append((size(&random), options(&random)))
        }
        let new = try domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for region in old { try batch.free(region.id) }
            for (size, options) in wanted {
                ids.append(try batch.allocate(byteCount: size, options: options))
            }
            return ids
        }
        for id in new { try adopt(id, &random, isNew: true) }
        record.count("batches")
    }

    /// The caller's memory in this thread's part of the addresses: mapped, used by the device,
    /// gone, and out of the device's reach.
    private func register(
        _ thread: Int, _ memory: SharedMemory, _ random: inout SeededGenerator
    ) throws(DMAError) {
        let count = 1 + random.below(4)
        let page = random.below(64 - count)
        let slot = UInt64(random.below(1 << 16))
        let place = IOVA(DomainSoak.zone(thread) + slot * 8 * 4096)
        // Safe: the memory outlives the region, which is gone when this returns.
        let owner = try unsafe domain.register(
            memory.pages(page, count: count), at: .fixed(place, deliberately: true))
        let id = owner.relinquish()
        let region = SoakRegion(try domain.info(id), id: id, stamp: random.next())
        region.fill()
        gate.pass {
            if device.read(place, byteCount: count * 4096)
                != region.pattern(0, byteCount: count * 4096)
            {
                record.problem("the device does not read what was registered at \(place)")
            }
            refuse(
                at: IOVA(place.rawValue + UInt64(count) * 4096), isSecond: false,
                random.chance(oneIn: 2))
        }
        inspect(region)
        try domain.free(id)
        // What waits to be unmapped is in reach until then.
        try domain.flush()
        gate.pass { refuse(at: place, isSecond: false, random.chance(oneIn: 2)) }
        if let offset = region.firstWrongOffset() {
            record.problem("the caller's memory was written to at \(offset) after its region")
        }
        record.count("registrations")
    }

    // MARK: the life of the devices

    /// Attaches and detaches the second device, resets the first, and repairs its table.
    func playOperator(steps: Int) {
        var random = SeededGenerator(seed: seed &* 0x1_0001 &+ 0x0bad)
        for step in 0..<steps {
            do {
                // In turn: a short run has all of them.
                switch step % 4 {
                case 0, 2: try attachOrDetach()
                case 1: try stopAndRemap(resets: true)
                default: try stopAndRemap(resets: false)
                }
            } catch {
                record.problem("operator, step \(step): \(error)")
                return
            }
            for _ in 0..<random.below(200) { ThreadCrew.giveWay() }
        }
        do {
            if isAttached.withLock({ $0 }) { try attachOrDetach() }
        } catch {
            record.problem("operator, the end: \(error)")
        }
    }

    private func attachOrDetach() throws {
        if isAttached.withLock({ $0 }) {
            gate.stop { isAttached.withLock { $0 = false } }
            try domain.detach(openedSecond)
            record.count("detaches")
        } else {
            try domain.attach(openedSecond)
            gate.stop { isAttached.withLock { $0 = true } }
            record.count("attaches")
        }
    }

    /// The device reaches nothing between the reset and the end of remap, so it is stopped; the
    /// driver's threads go on.
    private func stopAndRemap(resets: Bool) throws {
        try gate.stop {
            if resets { try opened.reset() }
            try domain.remap()
        }
        record.count(resets ? "resets" : "remaps")
    }
}
