internal import VDPAMemory

extension MemorySuite {
    /// The same populations through `DMADomain.allocate`, rows `domain-SIZE`: what placement on a
    /// node, its verification and the mapping add to the kernel's own cost.
    public static func runThroughDomain(
        _ options: MemoryOptions, devicePath: String?, machine: Machine, clock: TickClock,
        report: (BenchmarkResult) -> Void, unavailable: (String, String) -> Void
    ) throws(BenchmarkError) {
        let device = DeviceUnderTest(path: devicePath)
        let entryLimit = try device.entryLimit() ?? .max
        for kind in PageKind.allCases {
            let name = "domain-" + kind.rawValue
            // Each page may need an entry of its own: half the table leaves room for the rest.
            let mappable = (entryLimit / 2).multipliedReportingOverflow(by: kind.pageBytes)
            let wanted = mappable.overflow ? .max : mappable.partialValue
            let byteCount = min(options.byteCount, wanted)
            switch kind.available(wanted: byteCount, pools: machine.hugePages) {
            case .failure(let reason):
                unavailable(name, reason.description)
            case .success(let byteCount):
                var times: [Double] = []
                var messages = 0
                do {
                    for _ in 0..<max(options.repetitions, 1) {
                        let domain = try device.openDomain()
                        times.append(try populate(domain, byteCount, kind, clock))
                        messages = max(messages, domain.messageCount)
                    }
                    var result = row(name, byteCount, times)
                    result.messages = messages
                    report(result)
                } catch {
                    unavailable(name, "\(error)")
                }
            }
        }
    }

    /// Nanoseconds until the region is usable; freeing it is not counted.
    private static func populate(
        _ domain: DMADomain, _ byteCount: Int, _ kind: PageKind, _ clock: TickClock
    ) throws -> Double {
        let options = AllocationOptions(pages: .exactly(kind.pageSize))
        var region: DMARegion?
        let ns = try clock.time {
            region = try domain.allocate(byteCount: byteCount, options: options)
        }
        try region.take()?.free()
        return ns
    }
}

extension PageKind {
    fileprivate var pageSize: PageSize {
        switch self {
        case .size4KiB: .size4KiB
        case .transparent2MiB: .transparent2MiB
        case .size2MiB: .size2MiB
        case .size1GiB: .size1GiB
        }
    }
}
