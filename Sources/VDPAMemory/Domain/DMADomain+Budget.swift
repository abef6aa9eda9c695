internal import Synchronization

extension DMADomain {
    /// What is used of what is limited, now.
    ///
    /// - Complexity: O(log n). System calls: getrlimit(2), and a look at /proc/self/status, where a
    ///   device pins.
    public var budget: DMABudget { look(inChild: DMABudget()) { state in state.budget } }

    /// What `count` regions of `byteCount` bytes would need, and whether it is there; nothing is
    /// allocated.
    ///
    /// An estimate where others decide: which pages can be had, and how the kernel counts entries.
    /// Small regions share extents, so that most of them need nothing. Windows, alignments and the
    /// caller's addresses count; `.identity` counts as `.anywhere`, since there is no address yet.
    ///
    /// - Throws: `invalidArgument` for what could never be allocated.
    /// - Complexity: O(holes among the shared extents) plus O(log n) for each extent that would be
    ///   made: each is placed, and taken back.
    public func requirement(
        ofRegions count: Int = 1, byteCount: Int,
        options: AllocationOptions = AllocationOptions()
    ) throws(DMAError) -> DMARequirement {
        let (size, wanted) = try options.settled(byteCount: byteCount)
        guard count > 0, count < 1 << 27, size <= (1 << 62) / count else {
            throw DMAError(
                .invalidArgument, "\(count) regions of \(size) bytes.",
                remedy: "Ask for 1 to 2^27 - 1 regions, of less than 2^62 bytes together.")
        }
        return try locked { state throws(DMAError) in
            try state.requireOpen()
            return state.requirement(count, byteCount: size, wanted)
        }
    }
}
