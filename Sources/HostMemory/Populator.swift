internal import Glibc
internal import Synchronization

/// Populates a range, several threads taking chunks in turn. The threads end before
/// `populate` returns, whatever happened.
///
/// MADV_POPULATE_WRITE (madvise(2), since Linux 5.14) faults every page in for writing and
/// answers with an errno where touching would raise SIGBUS.
final class Populator: Sendable {
    private let address: UInt
    private let byteCount: Int
    private let chunk: Int
    private let system: SystemCalls
    private let nextOffset = Atomic<Int>(0)
    private let populated = Atomic<Int>(0)
    /// The first errno, negative; 0 while all is well, `cancelled` after a cancellation.
    private let outcome = Atomic<Int32>(0)

    private static let cancelled: Int32 = 1

    private init(_ mapping: borrowing MemoryMapping, chunk: Int, _ system: SystemCalls) {
        self.address = mapping.address
        self.byteCount = mapping.byteCount
        self.chunk = chunk
        self.system = system
    }

    /// - Throws: `exhausted` where the kernel finds no page, `cancelled`, `systemCallFailed`.
    static func populate(
        _ mapping: borrowing MemoryMapping, pages: PageSize, _ population: Population,
        _ system: SystemCalls
    ) throws(HostMemoryError) {
        let chunk = Population.chunkByteCount(pages: pages)
        let threads = population.resolvedThreadCount(
            byteCount: mapping.byteCount, chunk: chunk,
            processors: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let populator = Populator(mapping, chunk: chunk, system)
        let helpers = (1..<threads).compactMap { _ in populator.startHelper() }
        populator.work(population.progress)
        for helper in helpers { pthread_join(helper, nil) }
        try populator.check(population.progress)
    }

    private func check(_ progress: Population.Progress?) throws(HostMemoryError) {
        switch outcome.load(ordering: .acquiring) {
        case 0: _ = progress?(byteCount, byteCount)
        case Populator.cancelled: throw HostMemoryError(.cancelled)
        case let result:
            var error = HostMemoryError(.populate, result)
            // A page that cannot be had: EFAULT where touching would be SIGBUS (hugetlb),
            // otherwise ENOMEM. See mm/gup.c, faultin_page.
            if [EFAULT, ENOMEM].contains(-result) { error.code = .exhausted }
            throw error
        }
    }

    /// Takes chunks until none is left or something failed.
    private func work(_ progress: Population.Progress?) {
        while outcome.load(ordering: .relaxed) == 0 {
            let offset = nextOffset.wrappingAdd(chunk, ordering: .relaxed).oldValue
            guard offset < byteCount else { return }
            let size = min(chunk, byteCount - offset)
            var result: Int32
            repeat {
                result = system.advise(.populate, address + UInt(offset), byteCount: size)
            } while result == -EINTR || result == -EAGAIN
            guard result >= 0 else { return fail(result) }
            let done = populated.wrappingAdd(size, ordering: .relaxed).newValue
            if done < byteCount, let progress, !progress(done, byteCount) {
                return fail(Populator.cancelled)
            }
        }
    }

    private func fail(_ result: Int32) {
        _ = outcome.compareExchange(expected: 0, desired: result, ordering: .acquiringAndReleasing)
    }

    /// Starts a thread that works along; without it the others only take longer, so a refusal
    /// is no failure.
    private func startHelper() -> pthread_t? {
        var thread = pthread_t()
        // The thread's own reference, which it gives back.
        let context = unsafe Unmanaged.passRetained(self)
        // Safe: the context is the retained populator, and only the thread takes it.
        let result = unsafe pthread_create(
            &thread, nil,
            { @Sendable context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<Populator>.fromOpaque(context).takeRetainedValue().work(nil)
                return nil
            }, context.toOpaque())
        guard result == 0 else {
            unsafe context.release()
            return nil
        }
        return thread
    }
}
