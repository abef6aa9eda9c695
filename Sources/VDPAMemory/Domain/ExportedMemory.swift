internal import Glibc
internal import HostMemory

/// The descriptor of a region's memory, for another process: sent over a socket (SCM_RIGHTS) or
/// inherited, and mapped there with mmap(2), MAP_SHARED. Closed at the end of its life.
///
/// What is in the file is this region and the rest of its last page, which is nobody's. Whoever has
/// it can read and write the memory for as long as they like: the pages go back to the kernel when
/// the region is freed, the descriptor closed everywhere and the memory unmapped everywhere. The
/// file's size is sealed; a process that punches holes in it (fallocate(2)) takes pages from all.
public struct ExportedMemory: ~Copyable, Sendable {
    /// Close-on-exec, and owned by this value; see `takeDescriptor()`.
    public let descriptor: Int32
    /// The byte of the file that is the region's first: what to give mmap(2), a whole page.
    public let offset: Int
    /// The region's size in bytes.
    public let byteCount: Int
    /// How much to map: `byteCount` in whole pages, which munmap(2) of hugepages insists on.
    public let mappableByteCount: Int
    /// The size of the pages behind it; the mapping's address must be a multiple, which the kernel
    /// chooses by itself.
    public let pageSize: PageSize

    init(
        descriptor: Int32, byteCount: Int, mappableByteCount: Int, pageSize: PageSize
    ) {
        self.descriptor = descriptor
        self.offset = 0
        self.byteCount = byteCount
        self.mappableByteCount = mappableByteCount
        self.pageSize = pageSize
    }

    deinit { _ = Glibc.close(descriptor) }

    /// Ends this value without closing: the descriptor is the caller's to close.
    public consuming func takeDescriptor() -> Int32 {
        let descriptor = descriptor
        discard self
        return descriptor
    }
}

extension DMARegion {
    /// The region's memory for another process.
    ///
    /// - Throws: `notSupported` for a region that shares its memory with others, since a descriptor
    ///   shows all of it, and for memory that the caller registered; `hostMemory` where the process
    ///   has no descriptor left.
    /// - Complexity: O(1). System calls: fcntl(2) twice.
    public borrowing func export() throws(DMAError) -> ExportedMemory {
        guard let domain else { throw DMAError.noSuchRegion }
        return try domain.export(id)
    }

    /// Where each page of the region lies now, in runs: move_pages(2).
    ///
    /// - Throws: `hostMemory` where a sandbox forbids the call.
    /// - Complexity: O(pages); about 40 ms for 1 GiB in pages of 4 KiB.
    public borrowing func nodeRuns() throws(DMAError) -> [NodeRun] {
        let pageSize = try info.pageSize?.byteCount ?? PageSize.size4KiB.byteCount
        do throws(HostMemoryError) {
            // Safe: the address is only looked up.
            let address = unsafe UInt(bitPattern: address)
            return try NodeRun.query(address, byteCount: byteCount, pageSize: pageSize)
        } catch {
            throw DMAError(error)
        }
    }
}

extension DMADomain {
    /// A region's memory for another process; see `DMARegion.export()`.
    public func export(_ id: RegionID) throws(DMAError) -> ExportedMemory {
        let (box, byteCount) = try locked { state throws(DMAError) in
            try state.requireOpen()
            guard let record = state.regions.record(id), record.state == .live else {
                throw DMAError.noSuchRegion
            }
            guard !record.isCarved else { throw DMAError.carvedIsNotExported }
            guard let box = state.extent(of: record).memory else {
                throw DMAError.externalIsNotExported
            }
            return (box, Int(record.byteCount))
        }
        do throws(HostMemoryError) {
            return ExportedMemory(
                descriptor: try box.memory.duplicateDescriptor(), byteCount: byteCount,
                mappableByteCount: box.memory.byteCount, pageSize: box.memory.pageSize)
        } catch {
            throw DMAError(error)
        }
    }
}

extension DMAError {
    fileprivate static var carvedIsNotExported: DMAError {
        DMAError(
            .notSupported,
            "The region is part of memory that other regions share, and a descriptor would show "
                + "theirs too.",
            remedy: "Allocate it with `isolation: .dedicated`.")
    }

    fileprivate static var externalIsNotExported: DMAError {
        DMAError(
            .notSupported, "The region is memory that the caller registered.",
            remedy: "Hand on the descriptor that it was mapped from.")
    }
}
