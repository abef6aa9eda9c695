import IOVAAllocator
import TestSupport
import VDPAMemory
import VDPASimulator

// The device's threads: they reach what lives, and are refused everywhere else.

extension DomainSoak {
    func playDevice(steps: Int, thread: Int) {
        var random = SeededGenerator(seed: seed &* 0x1_0001 &+ UInt64(thread) &+ 0xd00d)
        var done = 0
        while done < steps {
            guard let region = board.take(random.below(1 << 20)) else {
                if driversLeft.withLock({ $0 }) == 0 { return }
                // No step: the drivers may not have begun.
                ThreadCrew.giveWay()
                continue
            }
            use(region, &random)
            board.put(region)
            done += 1
            if random.chance(oneIn: 6) { stray(&random) }
        }
    }

    /// An access to a live region, by one of the devices that have it.
    private func use(_ region: SoakRegion, _ random: inout SeededGenerator) {
        let count = 8 * (1 + random.below(64))
        let offset = 8 * random.below((region.byteCount - count) / 8 + 1)
        let usesSecond = random.chance(oneIn: 3)
        let new = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let reads = random.chance(oneIn: 2)
        gate.pass {
            let isSecond = usesSecond && isAttached.withLock { $0 }
            let simulator = isSecond ? second : device
            let name = isSecond ? "second" : "first"
            if reads, region.access != .writeOnly {
                let seen = simulator.read(region.iova(offset), byteCount: count)
                if seen != region.pattern(offset, byteCount: count) {
                    record.problem("the \(name) device reads \(seen == nil ? "nothing" : "wrong")")
                }
                record.count("reads")
                return
            }
            guard region.access != .readOnly else {
                if simulator.write(new, at: region.iova(offset)) {
                    record.problem("the \(name) device wrote to read-only \(region.first)")
                }
                record.count("not permitted, \(name)")
                return
            }
            let old = region.pattern(offset, byteCount: count)
            if !simulator.write(new, at: region.iova(offset)) {
                record.problem("the \(name) device cannot write to \(region.first)")
            }
            if region.bytes(offset, byteCount: count) != new {
                record.problem("a write to \(region.first) + \(offset) landed elsewhere")
            }
            if !simulator.write(old, at: region.iova(offset)) {
                record.problem("the \(name) device cannot write to \(region.first) again")
            }
            record.count("writes")
        }
    }

    /// An access to an address that nothing is ever mapped at, or right behind a page that is not.
    private func stray(_ random: inout SeededGenerator) {
        let forbidden = DomainSoak.forbidden
        let place = IOVA(forbidden.first.rawValue + UInt64(random.below(1 << 40)))
        gate.pass { refuse(at: place, isSecond: random.chance(oneIn: 4), random.chance(oneIn: 2)) }
    }

    /// An access that the device must be refused, and that must be recorded.
    func refuse(at place: IOVA, isSecond: Bool, _ reads: Bool) {
        let simulator = isSecond ? second : device
        let isDone =
            reads
            ? simulator.read(place, byteCount: 8) != nil
            : simulator.write([1, 2, 3, 4, 5, 6, 7, 8], at: place)
        if isDone { record.problem("the device reached \(place), where nothing is mapped") }
        record.count("stray, \(isSecond ? "second" : "first")")
    }
}
