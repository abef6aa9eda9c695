internal import Glibc
internal import IOVAAllocator
internal import VDPAMemory
internal import VDPASimulator

/// M regions of 64 MiB, gaps of 2 to 30 MiB between their addresses, their IOVAs in another
/// order side by side. No byte of them is touched, so that they have no pages.
@safe
final class TranslateWorkload {
    static let regionBytes: UInt64 = 64 << 20
    static let firstAddress: UInt64 = 0x2000_0000_0000
    static let firstIOVA: UInt64 = 0x1000_0000

    let domain: DMADomain
    let translator: AddressTranslator
    private var addresses: [UInt64] = []
    private var iovas: [UInt64] = []
    private var ids: [RegionID] = []

    init(regions: Int, seed: UInt64) throws {
        // The device maps by virtual address, so that nobody looks at a page, and only answers.
        var configuration = SimulatedDevice.Configuration.vduse()
        configuration.entryLimit = 1 << 40
        domain = try DMADomain(
            .answering(configuration),
            options: .init(regionCapacity: regions + 1024))
        var random = SplitMix64(seed: seed)
        var next = Self.firstAddress
        for _ in 0..<regions {
            addresses.append(next)
            next += Self.regionBytes + (2 << 20) * (1 + (random.next() >> 32) % 15)
        }
        iovas = shuffledOrder(count: regions, seed: seed).map {
            Self.firstIOVA + UInt64($0) * Self.regionBytes
        }
        translator = try domain.translator
        try map()
        let (addresses, iovas) = (addresses, iovas)
        ids = try domain.batch { batch throws(DMAError) in
            var ids: [RegionID] = []
            for (address, iova) in zip(addresses, iovas) {
                // Safe: mapped just now, and until this is gone.
                let bytes = unsafe UnsafeMutableRawBufferPointer(
                    start: UnsafeMutableRawPointer(bitPattern: UInt(address)),
                    count: Int(Self.regionBytes))
                ids.append(
                    unsafe try batch.register(bytes, at: .fixed(IOVA(iova), deliberately: true)))
            }
            return ids
        }
    }

    deinit {
        domain.close()
        for address in addresses {
            // Safe: this mapped it, and the domain that knew it is closed.
            unsafe _ = munmap(
                UnsafeMutableRawPointer(bitPattern: UInt(address)), Int(Self.regionBytes))
        }
    }

    private func map() throws(BenchmarkError) {
        for (index, address) in addresses.enumerated() {
            // Safe: a place where nothing is, or the call is refused.
            let wanted = unsafe UnsafeMutableRawPointer(bitPattern: UInt(address))
            let mapped = unsafe mmap(
                wanted, Int(Self.regionBytes), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | mapFixedNoReplace, -1, 0)
            guard unsafe mapped == wanted else {
                let number = errno
                addresses.removeSubrange(index...)
                throw BenchmarkError("mmap at 0x\(String(address, radix: 16)): error \(number)")
            }
        }
    }

    /// Queries in one direction: 64-byte aligned places, anywhere or nine of ten in eight regions,
    /// and what all answers must add up to.
    func queries(
        _ direction: TranslateDirection, isHot: Bool, count: Int, seed: UInt64
    ) -> (sources: [UInt64], sum: UInt64) {
        var random = SplitMix64(seed: seed)
        func pick() -> Int { Int(((random.next() >> 32) * UInt64(addresses.count)) >> 32) }
        let hot = (0..<8).map { _ in pick() }
        var sources: [UInt64] = []
        var sum: UInt64 = 0
        sources.reserveCapacity(count)
        for _ in 0..<count {
            let draw = random.next()
            let region = isHot && draw % 10 < 9 ? hot[Int((draw >> 32) & 7)] : pick()
            let offset = random.next() % (Self.regionBytes / 64) * 64
            let (from, to) =
                direction == .toIOVA
                ? (addresses[region], iovas[region]) : (iovas[region], addresses[region])
            sources.append(from + offset)
            sum &+= to + offset
        }
        return (sources, sum)
    }

    /// The limit: one load of a table of differences, and nothing that is looked at.
    func limit(_ direction: TranslateDirection) -> FlatDeltaTable {
        let (from, to) = direction == .toIOVA ? (addresses, iovas) : (iovas, addresses)
        let base = direction == .toIOVA ? Self.firstAddress : Self.firstIOVA
        let end = (from.max() ?? base) + Self.regionBytes
        let table = FlatDeltaTable(base: base, end: end)
        for (from, to) in zip(from, to) { table.set(from, to, Self.regionBytes) }
        return table
    }
}

enum TranslateDirection: String, CaseIterable {
    case toIOVA = "iova"
    case toAddress = "address"
}

/// MAP_FIXED_NOREPLACE: Glibc's module has only what plain constants say.
private let mapFixedNoReplace: Int32 = 0x10_0000

/// Target minus source for each 2 MiB of one stretch.
///
/// Safe to hold: one owner, and queries lie in the stretch.
@safe
final class FlatDeltaTable {
    let deltas: UnsafeMutablePointer<UInt64>
    let base: UInt64
    let count: Int

    init(base: UInt64, end: UInt64) {
        self.base = base
        count = Int((end - base + (2 << 20) - 1) >> 21)
        unsafe deltas = .allocate(capacity: count)
        unsafe deltas.initialize(repeating: 0, count: count)
    }

    deinit { unsafe deltas.deallocate() }

    func set(_ source: UInt64, _ target: UInt64, _ byteCount: UInt64) {
        for granule in (source - base) >> 21..<(source - base + byteCount) >> 21 {
            precondition(granule < count, "inside the stretch")
            unsafe deltas[Int(granule)] = target &- source
        }
    }
}
