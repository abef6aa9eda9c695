/// One page size tried for one request.
struct AllocationAttempt {
    let requested: Int
    let pages: PageSize
    let binding: NodeBinding
    let options: HostMemory.Options
    /// Whether the next candidate is 4 KiB, so that memory that the kernel did not collapse to
    /// transparent hugepages serves as it is, and is not populated twice.
    let acceptsOrdinaryPages: Bool

    private var system: SystemCalls { options.system }
    private var topology: HostTopology { options.topology }

    /// The request in whole pages.
    private var byteCount: Int { rounded(to: pages) }

    private func rounded(to pages: PageSize) -> Int {
        (requested + pages.byteCount - 1) / pages.byteCount * pages.byteCount
    }

    /// Every kernel object has its owner from the moment it exists, so a throw anywhere gives
    /// everything back.
    func run(after attempts: [HostMemoryError]) throws(HostMemoryError) -> HostMemory {
        try checkFreePages()
        let file = try MemoryFile.create(
            name: options.name, byteCount: byteCount, pages: pages, system)
        var mapping = try MemoryMapping.create(of: file, byteCount: byteCount, pages: pages, system)
        if !options.isInheritedByFork { try mapping.advise(.adviseFork) }
        if options.isExcludedFromCoreDumps { try mapping.advise(.adviseDump) }
        // Best effort: where the kernel has no transparent hugepages, smaps will tell.
        if pages == .transparent2MiB { try? mapping.advise(.adviseHugepage) }
        // Best effort too: else a kernel that gives them unasked gives other pages than these.
        if pages == .size4KiB { try? mapping.advise(.adviseOrdinary) }
        try binding.apply(to: mapping, topology, system)
        // smaps, where only that can tell, walks every page that is there, so ordinary memory is
        // looked at before: now that MADV_NOHUGEPAGE is set, its pages are those of the mapping.
        let known =
            pages == .size4KiB ? try PageSizeProbe.pageSize(of: mapping, topology, system) : nil
        let count = try Populator(mapping, pages: pages, binding, options.population, system)
            .populate()

        let obtained: PageSize
        if let known {
            obtained = known
        } else {
            obtained = try PageSizeProbe.pageSize(of: mapping, topology, system)
        }
        var earlier = attempts
        if obtained != pages {
            guard pages == .transparent2MiB, obtained == .size4KiB, acceptsOrdinaryPages else {
                throw HostMemoryError(.pageSizeNotObtained)
            }
            earlier.append(
                completed(HostMemoryError(.pageSizeNotObtained)).explained(by: topology))
            let needed = rounded(to: .size4KiB)
            if needed < mapping.byteCount {
                try mapping.trim(to: needed)
                try file.truncate(to: needed)
            }
        }
        let placement = try verifiedPlacement(count, of: mapping, obtained)
        return HostMemory(
            file: file, mapping: mapping, pageSize: obtained, placement: placement,
            earlierAttempts: earlier, system: system)
    }

    /// - Parameter count: what populating has counted; nil where the pages' size was not known.
    private func verifiedPlacement(
        _ count: NodeCount?, of mapping: borrowing MemoryMapping, _ obtained: PageSize
    ) throws(HostMemoryError) -> NodePlacement {
        let stride = obtained.byteCount
        let known: NodeCount
        if let count {
            known = count
        } else {
            known = try Populator(mapping, pages: obtained, binding, options.population, system)
                .countNodes(stride: stride)
        }
        return try binding.verifiedPlacement(
            known, pageCount: mapping.byteCount / stride, topology)
    }

    /// Refuses early what cannot succeed. The kernel reserves hugetlb pages for the machine, not
    /// per node, and lets an ordinary page that finds no room on its node kill a process, so the
    /// figures are looked at first; a race is caught by the steps that follow.
    private func checkFreePages() throws(HostMemoryError) {
        let wanted = byteCount / pages.byteCount
        let allowed = topology.allowedNodes
        let free = topology.freePages(of: pages).filter { allowed.contains($0.key) }
        var available =
            binding.mode == .required
            ? binding.nodes.reduce(0) { $0 + (free[$1] ?? 0) }
            : free.values.reduce(0, +)
        if pages.isHugetlb {
            guard let machine = topology.pool(of: pages) else {
                throw HostMemoryError(.pageSizeUnavailable)
            }
            available += machine.overcommit
        } else if let room = topology.controlGroupRoom {
            available = min(available, room.byteCount / pages.byteCount)
        }
        guard wanted <= available else { throw HostMemoryError(.exhausted) }
    }

    /// The error with what this attempt asked for.
    func completed(_ error: HostMemoryError) -> HostMemoryError {
        var error = error
        error.pageSize = pages
        error.wantedByteCount = byteCount
        error.nodes = binding.nodes
        return error
    }
}
