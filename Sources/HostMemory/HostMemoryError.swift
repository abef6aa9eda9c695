/// Why memory could not be had, or was not what it must be: the rule that was broken, its data,
/// and what helps.
package struct HostMemoryError: Error, Hashable, Sendable {
    package enum Code: String, Hashable, Sendable {
        /// A size that is not positive or too large, an empty list of pages or nodes.
        case invalidRequest = "invalid request"
        /// A node that does not exist, has no memory, or is not the process's to use.
        case noSuchNode = "no such node"
        /// The kernel has no pages of this size.
        case pageSizeUnavailable = "page size unavailable"
        /// Too few pages are free.
        case exhausted = "out of pages"
        /// Other pages were obtained than were required.
        case pageSizeNotObtained = "page size not obtained"
        /// A page lies elsewhere than required.
        case misplaced = "pages on another node"
        /// The progress callback asked to stop.
        case cancelled = "cancelled"
        /// Part of a range is not mapped.
        case notMapped = "not mapped"
        /// The kernel refused a call for a reason that is none of the above.
        case systemCallFailed = "system call failed"
    }

    package var code: Code
    /// The call that was refused, nil where none was made.
    package var call: SystemCall?
    /// The kernel's answer, 0 where no call was refused.
    package var errorNumber: Int32 = 0
    package var pageSize: PageSize?
    /// The nodes that were asked for; empty when any would do.
    package var nodes: [Int] = []
    /// What was asked for, rounded up to whole pages.
    package var wantedByteCount = 0
    /// The pages of `pageSize` that are free on each node, after everything was given back.
    package var freePagesByNode: [Int: Int] = [:]
    /// The nodes that have memory and are the process's to use, in the error `noSuchNode`.
    package var existingNodes: [Int] = []
    /// The addresses that are not mapped, in the error `notMapped`.
    package var addresses: ClosedRange<UInt>?
    /// What to do, in a sentence.
    package var remedy: String = ""
    /// Why the page sizes that were tried before were not had.
    package var earlierAttempts: [HostMemoryError] = []

    package init(_ code: Code) { self.code = code }

    /// A call that the kernel refused with `result`, which is -errno.
    init(_ call: SystemCall, _ result: some SignedInteger) {
        self.init(.systemCallFailed)
        self.call = call
        self.errorNumber = Int32(-result)
    }

    /// What was asked for, in pages of `pageSize`.
    package var wantedPages: Int { pageSize.map { wantedByteCount / $0.byteCount } ?? 0 }

    /// Whether another page size may still succeed.
    var concernsPageSizeOnly: Bool {
        switch code {
        case .pageSizeUnavailable, .exhausted, .pageSizeNotObtained: true
        default: false
        }
    }
}

extension HostMemoryError: CustomStringConvertible {
    package var description: String {
        var text = code.rawValue
        if let pageSize, wantedByteCount > 0 {
            text += ": wanted \(wantedPages) pages of \(pageSize) (\(wantedByteCount) bytes)"
        }
        if !nodes.isEmpty { text += " on node " + nodes.map(String.init).joined(separator: ", ") }
        if !freePagesByNode.isEmpty {
            text += "; free: "
            text += freePagesByNode.sorted { $0.key < $1.key }
                .map { "\($0.value) on node \($0.key)" }.joined(separator: ", ")
        }
        if !existingNodes.isEmpty {
            text +=
                "; nodes to choose from: " + existingNodes.map(String.init).joined(separator: ", ")
        }
        if let addresses {
            text += ": 0x" + String(addresses.lowerBound, radix: 16)
            text += "-0x" + String(addresses.upperBound, radix: 16)
        }
        if let call {
            text += "; \(call.rawValue)"
            if errorNumber != 0 { text += " answered errno \(errorNumber)" }
        }
        if !remedy.isEmpty { text += ". " + remedy }
        return text
    }
}
