/// One memfd and its one shared mapping: memory of a known page size on known nodes, populated,
/// reading as zeros, ready to be pinned by a device. Unmapped and closed at the end of its life.
///
/// Shared and file-backed, so that every kind of vhost-vdpa parent can map it and other processes
/// can be given the descriptor.
package struct HostMemory: ~Copyable, Sendable {
    // Order matters to nobody: the pages go when both are gone.
    let mapping: MemoryMapping
    let file: MemoryFile
    let system: SystemCalls

    /// The size of the pages behind the memory, as smaps tells: never assumed from what was asked.
    package let pageSize: PageSize

    /// Where each page lies, as move_pages(2) tells.
    package let placement: NodePlacement

    /// Why larger pages than these were not had, in the order in which they were tried.
    package let earlierAttempts: [HostMemoryError]

    init(
        file: consuming MemoryFile, mapping: consuming MemoryMapping, pageSize: PageSize,
        placement: NodePlacement, earlierAttempts: [HostMemoryError], system: SystemCalls
    ) {
        self.system = system
        self.file = file
        self.mapping = mapping
        self.pageSize = pageSize
        self.placement = placement
        self.earlierAttempts = earlierAttempts
    }

    /// The first byte, aligned to `pageSize`.
    package var baseAddress: UnsafeMutableRawPointer {
        // Safe: the mapping's address is not 0. The caller must not outlive the mapping.
        unsafe UnsafeMutableRawPointer(bitPattern: mapping.address)!
    }

    /// The size in bytes: what was asked for, rounded up to whole pages of `pageSize`.
    package var byteCount: Int { mapping.byteCount }

    /// The memfd, whose byte 0 is the first byte of the memory. Still owned by this value:
    /// duplicate it to keep it longer.
    package var descriptor: Int32 { file.descriptor }
}

extension HostMemory {
    /// What an allocation may be told besides its size, pages and nodes.
    package struct Options: Sendable {
        /// Whether a forked child has the memory too (else MADV_DONTFORK: it has a hole there).
        package var isInheritedByFork = false
        /// Whether core dumps leave the memory out (MADV_DONTDUMP).
        package var isExcludedFromCoreDumps = false
        /// What the memory is called in /proc/PID/maps, after `memfd:`; at most 249 bytes.
        package var name = "vdpa-memory"
        package var population = Population()
        package var topology = HostTopology()
        /// The calls, which a test can make fail.
        package var system = SystemCalls()

        package init() {}
    }
}
