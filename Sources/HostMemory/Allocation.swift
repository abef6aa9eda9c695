extension HostMemory {
    /// Allocates memory: mmap(2) -> mbind(2) -> MADV_POPULATE_WRITE -> page size read from smaps
    /// -> nodes read by move_pages(2). Populated before it returns, so that no access to it can
    /// raise SIGBUS; on failure nothing is left behind.
    ///
    /// - Parameters:
    ///   - byteCount: in bytes, rounded up to the page size obtained.
    ///   - pages: the page sizes to try.
    ///   - node: the nodes to use.
    ///   - deviceNode: what `.device` stands for; nil for a device without a node.
    /// - Throws: the last page size's error, with those before in `earlierAttempts`.
    package static func allocate(
        byteCount: Int, pages: PagePolicy = .largest, node: NodePolicy = .device,
        deviceNode: Int? = nil, options: Options = Options()
    ) throws(HostMemoryError) -> HostMemory {
        let topology = options.topology
        let candidates = pages.candidates(byteCount: byteCount)
        guard byteCount > 0, byteCount < 1 << 46, !candidates.isEmpty else {
            var error = HostMemoryError(.invalidRequest)
            error.wantedByteCount = byteCount
            error.remedy = "Ask for 1 byte to 64 TiB, with at least one page size."
            throw error
        }
        let binding: NodeBinding
        do {
            binding = try NodeBinding(node, deviceNode: deviceNode, topology, options.system)
        } catch {
            throw error.explained(by: topology)
        }
        var attempts: [HostMemoryError] = []
        for (index, size) in candidates.enumerated() {
            let next = index + 1 < candidates.count ? candidates[index + 1] : nil
            let attempt = AllocationAttempt(
                requested: byteCount, pages: size, binding: binding, options: options,
                acceptsOrdinaryPages: next == .size4KiB)
            do {
                return try attempt.run(after: attempts)
            } catch {
                // Figures are read after the attempt has given everything back.
                var error = attempt.completed(error).explained(by: topology)
                guard error.concernsPageSizeOnly, next != nil else {
                    error.earlierAttempts = attempts
                    throw error
                }
                attempts.append(error)
            }
        }
        preconditionFailure("the last candidate returns or throws")
    }
}
