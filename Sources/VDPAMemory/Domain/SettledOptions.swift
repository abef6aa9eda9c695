internal import HostMemory

/// What regions of a batch are to be, with nothing left open: one object for all that are alike, so
/// that an operation is small and none of it is compared or hashed again.
final class SettledOptions: Sendable {
    let options: AllocationOptions
    /// See `CarverKey.code`.
    let code: UInt64?

    init(_ options: AllocationOptions) {
        self.options = options
        code = CarverKey.code(options)
    }

    /// Whether options that a caller gives settle to these.
    func isMade(of given: borrowing AllocationOptions) -> Bool {
        guard let code, code == CarverKey.code(given) else { return false }
        return given.alignment.nonzeroBitCount == 1
            && max(given.alignment, 4096) == options.alignment
            && given.isUninitialised == options.isUninitialised
            && given.isolation == options.isolation && given.placement == options.placement
            && given.population.threadCount == options.population.threadCount
            && given.population.progress == nil && options.population.progress == nil
    }
}

/// Bytes by the kind of their region. A batch has few kinds, and runs of one.
struct CarvedBytes {
    private var items: [(key: CarverKey, code: UInt64?, byteCount: Int)] = []
    private var recent = 0

    func of(_ key: CarverKey) -> Int {
        items.first { $0.key == key }?.byteCount ?? 0
    }

    /// Adds or takes away; saturated.
    mutating func add(_ byteCount: Int, of wanted: SettledOptions) {
        let isRecent =
            wanted.code != nil && recent < items.count && items[recent].code == wanted.code
        if !isRecent { recent = find(wanted) }
        let (sum, overflow) = items[recent].byteCount.addingReportingOverflow(byteCount)
        items[recent].byteCount = overflow ? .max : sum
    }

    private mutating func find(_ wanted: SettledOptions) -> Int {
        let key = CarverKey(wanted.options)
        if let index = items.firstIndex(where: { $0.key == key }) { return index }
        items.append((key, wanted.code, 0))
        return items.count - 1
    }
}
