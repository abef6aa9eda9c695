internal import CNUMA

/// How the pages of an allocation are brought into being: MADV_POPULATE_WRITE (madvise(2), since
/// Linux 5.14), chunk by chunk.
public struct Population: Sendable {
    /// Told the bytes populated so far and in all; answers false to cancel, after which nothing of
    /// the allocation is left. Called on the allocating thread only: after every 64 MiB or page of
    /// 1 GiB that this thread has populated, and once when all is.
    public typealias Progress =
        @Sendable (_ populatedByteCount: Int, _ totalByteCount: Int) -> Bool

    /// Threads to use, the allocating one among them, never more than one for each 64 MiB or page
    /// of 1 GiB; nil for as many as the allocating thread may use processors, and at most eight.
    /// They run only meanwhile.
    public var threadCount: Int?
    /// Called while it goes on; nil for no reports.
    public var progress: Progress?

    /// The default: threads where they pay, no reports.
    public init(threadCount: Int? = nil, progress: Progress? = nil) {
        self.threadCount = threadCount
        self.progress = progress
    }

    /// The unit of work: large enough that a call costs nothing next to clearing the pages,
    /// small enough that progress and cancellation are prompt. Never less than a page.
    static func chunkByteCount(pages: PageSize) -> Int { max(64 << 20, pages.byteCount) }

    /// A thread for each chunk at most: starting one costs 0.1 ms, a chunk several.
    func resolvedThreadCount(byteCount: Int, chunk: Int) -> Int {
        let chunks = (byteCount + chunk - 1) / chunk
        // A refusal (a sandbox) is negative, and leaves one.
        let wanted = threadCount ?? min(Int(cnuma_processor_count()), 8)
        return max(1, min(wanted, chunks))
    }
}
