internal import Glibc
internal import Synchronization

/// Work on a range in chunks, several threads taking chunks in turn. The threads end before `run`
/// returns, whatever happened.
final class ChunkedWork: Sendable {
    /// Works on one chunk, on whichever thread took it. Answers 0, or -errno, which ends all work.
    typealias Body = @Sendable (_ offset: Int, _ byteCount: Int) -> Int32

    /// What `run` answers after a progress callback asked to stop.
    static let cancelled: Int32 = 1

    private let byteCount: Int
    private let chunk: Int
    private let body: Body
    private let nextOffset = Atomic<Int>(0)
    private let done = Atomic<Int>(0)
    /// The first errno, negative; 0 while all is well, `cancelled` after a cancellation.
    private let outcome = Atomic<Int32>(0)

    private init(byteCount: Int, chunk: Int, _ body: @escaping Body) {
        self.byteCount = byteCount
        self.chunk = chunk
        self.body = body
    }

    /// - Parameter progress: called on this thread only, after each chunk that it has done, but not
    ///   when all of the work is.
    /// - Returns: 0, the first chunk's -errno, or `cancelled`.
    static func run(
        byteCount: Int, chunk: Int, threadCount: Int, progress: Population.Progress? = nil,
        _ body: @escaping Body
    ) -> Int32 {
        let work = ChunkedWork(byteCount: byteCount, chunk: chunk, body)
        let helpers = (1..<max(1, threadCount)).compactMap { _ in work.startHelper() }
        work.takeChunks(progress)
        for helper in helpers { pthread_join(helper, nil) }
        return work.outcome.load(ordering: .acquiring)
    }

    /// The same where the work cannot fail and nobody is asked.
    static func overAllThreads(byteCount: Int, chunk: Int, _ body: @escaping Body) {
        _ = run(
            byteCount: byteCount, chunk: chunk,
            threadCount: Population().resolvedThreadCount(byteCount: byteCount, chunk: chunk),
            body)
    }

    /// Takes chunks until none is left or something failed.
    private func takeChunks(_ progress: Population.Progress?) {
        while outcome.load(ordering: .relaxed) == 0 {
            let offset = nextOffset.wrappingAdd(chunk, ordering: .relaxed).oldValue
            guard offset < byteCount else { return }
            let size = min(chunk, byteCount - offset)
            let result = body(offset, size)
            guard result >= 0 else { return fail(result) }
            let done = self.done.wrappingAdd(size, ordering: .relaxed).newValue
            if done < byteCount, let progress, !progress(done, byteCount) {
                return fail(ChunkedWork.cancelled)
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
        // Safe: the context is the retained work, and only the thread takes it.
        let result = unsafe pthread_create(
            &thread, nil,
            { @Sendable context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<ChunkedWork>.fromOpaque(context).takeRetainedValue()
                    .takeChunks(nil)
                return nil
            }, context.toOpaque())
        guard result == 0 else {
            unsafe context.release()
            return nil
        }
        return thread
    }
}
