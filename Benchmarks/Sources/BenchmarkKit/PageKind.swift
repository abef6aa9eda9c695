internal import CBenchmark
internal import Glibc

/// The ways to back memory that the suite `memory` compares.
public enum PageKind: String, CaseIterable, Sendable {
    case size4KiB = "4KiB"
    case transparent2MiB = "transparent-2MiB"
    case size2MiB = "2MiB"
    case size1GiB = "1GiB"

    var pageBytes: Int {
        switch self {
        case .size4KiB: 4 << 10
        case .transparent2MiB, .size2MiB: 2 << 20
        case .size1GiB: 1 << 30
        }
    }

    /// For memfd_create: the page size's logarithm, 0 for memory outside the hugetlb pools.
    private var hugetlbShift: UInt32 {
        switch self {
        case .size4KiB, .transparent2MiB: 0
        case .size2MiB: 21
        case .size1GiB: 30
        }
    }

    /// How much of `wanted` this machine can give now, in whole pages, or why nothing.
    func available(wanted: Int, pools: [HugePagePool]) -> Result<Int, BenchmarkError> {
        let pages = max(wanted / pageBytes, 1)
        guard hugetlbShift > 0 else { return .success(pages * pageBytes) }
        guard let pool = pools.first(where: { $0.pageBytes == pageBytes }) else {
            return .failure(BenchmarkError("the kernel has no pool of this page size"))
        }
        guard pool.free > 0 else {
            return .failure(
                BenchmarkError("no page is free of \(pool.total): raise nr_hugepages"))
        }
        return .success(min(pages, pool.free) * pageBytes)
    }

    /// Nanoseconds that populating `byteCount` new bytes takes: MADV_POPULATE_WRITE of a memfd, and
    /// for transparent pages MADV_COLLAPSE too, where the kernel did not give them at once; on
    /// `threads` threads, in the chunks that the library takes. The memory is returned before this
    /// does.
    func populationNs(
        byteCount: Int, threads: Int, clock: TickClock, processorNs: (Double) -> Void = { _ in }
    ) -> Result<Double, BenchmarkError> {
        var mapping: UnsafeMutableRawPointer?
        // Safe: the pointer is written by the call and used only while the mapping lives.
        let mapped = unsafe cbench_map(byteCount, hugetlbShift, &mapping)
        guard mapped == 0 else { return .failure(Self.error("mmap", mapped)) }
        defer { unsafe _ = cbench_unmap(mapping, byteCount) }
        var failed: (call: String, code: Int32)?
        let start = cbench_process_ns()
        let ns = clock.time {
            if self == .transparent2MiB {
                // Refused where the setting for shared memory is `never`; the collapse may do.
                _ = unsafe cbench_advise_huge(mapping, byteCount)
            }
            let populated = unsafe cbench_populate_on(
                Int32(threads), mapping, byteCount, max(64 << 20, pageBytes),
                self == .transparent2MiB ? 1 : 0)
            if populated != 0 { failed = ("populating", populated) }
        }
        processorNs(Double(cbench_process_ns() - start))
        if let failed { return .failure(Self.error(failed.call, failed.code)) }
        return .success(ns)
    }

    private static func error(_ call: String, _ code: Int32) -> BenchmarkError {
        // Safe: strerror's text is copied at once.
        BenchmarkError("\(call): \(unsafe String(cString: strerror(-code)))")
    }
}
