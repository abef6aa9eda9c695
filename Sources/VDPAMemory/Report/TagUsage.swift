internal import Synchronization

/// What the live regions of one tag take.
public struct DMATagUsage: Hashable, Sendable {
    /// Who owns them.
    public let tag: RegionTag
    /// How many there are.
    public internal(set) var regions = 0
    /// Their sizes together, in bytes.
    public internal(set) var byteCount: UInt64 = 0

    init(tag: RegionTag) { self.tag = tag }
}

/// What was still live when a domain was closed: what somebody has forgotten to free, or what the
/// end of the program makes unimportant.
public struct DMALeakReport: Hashable, Sendable {
    /// By tag, the largest first; empty where everything had been freed.
    public let leaks: [DMATagUsage]

    /// Regions that were live.
    public var regions: Int { leaks.reduce(0) { $0 + $1.regions } }
    /// Their bytes together.
    public var byteCount: UInt64 { leaks.reduce(0) { $0 + $1.byteCount } }
    /// Whether everything had been freed.
    public var isEmpty: Bool { leaks.isEmpty }
}

extension DMALeakReport: CustomStringConvertible {
    public var description: String {
        guard !isEmpty else { return "nothing was live" }
        let parts = leaks.map { "\($0.tag): \($0.regions) regions, \($0.byteCount) bytes" }
        return "still live: " + parts.joined(separator: "; ")
    }
}

extension DMADomain {
    /// What the live regions take by tag, the largest first.
    ///
    /// - Complexity: O(n) in the most regions that ever lived at once, under the domain's lock.
    ///   No system call.
    public var usageByTag: [DMATagUsage] { look(inChild: []) { state in state.usageByTag() } }
}

extension DomainState {
    /// What is live as the domain is closed; a closed domain has nothing left to lose.
    mutating func noteLeaks() -> DMALeakReport {
        guard !isClosed else { return DMALeakReport(leaks: []) }
        let leaks = usageByTag()
        for leak in leaks { note(.leaked(leak)) }
        return DMALeakReport(leaks: leaks)
    }

    func usageByTag() -> [DMATagUsage] {
        var usage: [RegionTag: DMATagUsage] = [:]
        regions.visit { _, record in
            // One that a batch only names is nobody's yet.
            guard record.state != .pending else { return }
            usage[record.tag, default: DMATagUsage(tag: record.tag)].regions += 1
            usage[record.tag, default: DMATagUsage(tag: record.tag)].byteCount += record.byteCount
        }
        return usage.values.sorted { left, right in
            (right.byteCount, left.tag.number) < (left.byteCount, right.tag.number)
        }
    }
}
