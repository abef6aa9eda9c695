internal import CNUMA

/// The seam to the kernel: the calls of an allocation, each of which a test can make fail.
///
/// Answers are at least 0, or -errno. The calls that undo (munmap, close) cannot be made to fail:
/// the kernel refuses them only for arguments that are wrong.
package struct SystemCalls: Sendable {
    /// Asked before each call; an errno makes the call fail with it, without being made.
    package typealias Fault = @Sendable (SystemCall) -> Int32?

    private let fault: Fault?

    /// - Parameter fault: the failures to provoke; none in production.
    package init(fault: Fault? = nil) { self.fault = fault }

    func memfdCreate(name: String, flags: UInt32) -> Int32 {
        if let code = fault?(.memfdCreate) { return -code }
        // Safe: the string outlives the call, which only reads it.
        return unsafe name.withCString { unsafe cnuma_memfd_create($0, flags) }
    }

    func truncate(_ descriptor: Int32, byteCount: Int) -> Int32 {
        if let code = fault?(.truncate) { return -code }
        return cnuma_truncate(descriptor, UInt64(byteCount))
    }

    /// Nobody can change the file's size any more.
    func sealSize(_ descriptor: Int32) -> Int32 {
        if let code = fault?(.seal) { return -code }
        return cnuma_seal_size(descriptor)
    }

    func duplicate(_ descriptor: Int32) -> Int32 {
        if let code = fault?(.duplicate) { return -code }
        return cnuma_duplicate(descriptor)
    }

    func reserve(byteCount: Int) -> Int64 {
        if let code = fault?(.reserve) { return Int64(-code) }
        return cnuma_reserve(UInt64(byteCount))
    }

    /// - Parameter address: where to map, over what is there; 0 leaves the choice to the kernel.
    func map(_ descriptor: Int32, byteCount: Int, at address: UInt) -> Int64 {
        if let code = fault?(.map) { return Int64(-code) }
        return cnuma_map_shared(descriptor, UInt64(byteCount), address)
    }

    /// munmap of a part, which can fail where splitting a mapping exceeds the process's limit.
    func trim(_ address: UInt, byteCount: Int) -> Int32 {
        if let code = fault?(.trim) { return -code }
        return cnuma_unmap(address, UInt64(byteCount))
    }

    func advise(_ call: SystemCall, _ address: UInt, byteCount: Int) -> Int32 {
        if let code = fault?(call) { return -code }
        let advice =
            switch call {
            case .adviseFork: CNUMA_MADV_DONTFORK
            case .adviseDump: CNUMA_MADV_DONTDUMP
            case .adviseHugepage: CNUMA_MADV_HUGEPAGE
            case .adviseOrdinary: CNUMA_MADV_NOHUGEPAGE
            case .populate: CNUMA_MADV_POPULATE_WRITE
            case .populateForReading: CNUMA_MADV_POPULATE_READ
            case .collapse: CNUMA_MADV_COLLAPSE
            default: preconditionFailure("\(call.rawValue) is not an advice")
            }
        return cnuma_advise(address, UInt64(byteCount), advice)
    }

    /// - Parameter nodes: at most `NodeBinding.nodeLimit` nodes, by number.
    func bind(_ address: UInt, byteCount: Int, mode: Int32, nodes: [Int]) -> Int32 {
        if let code = fault?(.bind) { return -code }
        let bits = UInt.bitWidth
        var mask = [UInt](repeating: 0, count: NodeBinding.nodeLimit / bits)
        for node in nodes { mask[node / bits] |= 1 << UInt(node % bits) }
        // Safe: the mask holds as many bits as the call is told to read.
        return unsafe mask.withUnsafeBufferPointer {
            unsafe cnuma_bind(
                address, UInt64(byteCount), mode, $0.baseAddress, UInt32($0.count * bits))
        }
    }

    /// Fills `nodes` with the node (or -errno) of the pages from `address` on.
    func queryNodes(_ address: UInt, stride: Int, count: Int, into nodes: inout [Int32]) -> Int32 {
        if let code = fault?(.queryNodes) { return -code }
        precondition(count <= nodes.count)
        // Safe: the array holds at least `count` elements.
        return unsafe nodes.withUnsafeMutableBufferPointer {
            unsafe cnuma_query_nodes(address, UInt64(stride), count, $0.baseAddress)
        }
    }

    func currentNode() -> Int32 {
        if let code = fault?(.currentNode) { return -code }
        return cnuma_current_node()
    }

    /// Reads a file of procfs line by line; see `TextFile.forEachLine`.
    func forEachLine(
        _ call: SystemCall, of path: String, _ body: (Substring) -> Bool
    ) -> Int32 {
        if let code = fault?(call) { return -code }
        return TextFile.forEachLine(of: path, body)
    }

    /// Asks for the areas of a range, one by one, until one is missing; see `cnuma_query_area`.
    ///
    /// - Parameter path: of a `maps` file.
    func forEachArea(
        of path: String, _ range: ClosedRange<UInt>, _ body: (cnuma_area) -> Void
    ) -> Int32 {
        ask(path) { descriptor in
            var area = cnuma_area(first: 0, end: UInt64(range.lowerBound), page_size: 0)
            while area.end - 1 < UInt64(range.upperBound) {
                // Safe: the call writes one area.
                let result = unsafe cnuma_query_area(descriptor, area.end, &area)
                guard result >= 0 else { return result }
                body(area)
            }
            return 0
        }
    }

    /// How much of a range transparent hugepages map; see `cnuma_huge_bytes`.
    ///
    /// - Parameter path: of a `pagemap` file.
    func hugeByteCount(of path: String, _ range: ClosedRange<UInt>, _ count: inout UInt64) -> Int32
    {
        ask(path) { descriptor in
            // Safe: the call writes one count.
            unsafe cnuma_huge_bytes(
                descriptor, UInt64(range.lowerBound), UInt64(range.upperBound) + 1, &count)
        }
    }

    private func ask(_ path: String, _ question: (_ descriptor: Int32) -> Int32) -> Int32 {
        if let code = fault?(.readSmaps) { return -code }
        return TextFile.withDescriptor(of: path, question)
    }

    func unmap(_ address: UInt, byteCount: Int) { _ = cnuma_unmap(address, UInt64(byteCount)) }

    func close(_ descriptor: Int32) { _ = cnuma_close(descriptor) }
}

extension SystemCalls {
    /// getrlimit of RLIMIT_MEMLOCK: the result, the soft and the hard value.
    func memlockLimit() -> (result: Int32, soft: UInt64, hard: UInt64) {
        if let code = fault?(.readLimit) { return (-code, 0, 0) }
        var soft: UInt64 = 0
        var hard: UInt64 = 0
        // Safe: the call writes one value to each.
        let result = unsafe cnuma_memlock_limit(&soft, &hard)
        return (result, soft, hard)
    }

    func setMemlockLimit(soft: UInt64, hard: UInt64) -> Int32 {
        if let code = fault?(.setLimit) { return -code }
        return cnuma_set_memlock_limit(soft, hard)
    }
}
