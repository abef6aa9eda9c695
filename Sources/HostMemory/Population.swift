/// How the pages of an allocation are brought into being.
package struct Population: Sendable {
    /// Told the bytes populated so far and in all; answers false to cancel. Called on the
    /// allocating thread only, about every 64 MiB.
    package typealias Progress = @Sendable (_ populated: Int, _ total: Int) -> Bool

    /// Threads to use; nil for one below 1 GiB and up to eight above.
    package var threadCount: Int?
    package var progress: Progress?

    package init(threadCount: Int? = nil, progress: Progress? = nil) {
        self.threadCount = threadCount
        self.progress = progress
    }

    /// The unit of work: large enough that a call costs nothing next to clearing the pages,
    /// small enough that progress and cancellation are prompt. Never less than a page.
    static func chunkByteCount(pages: PageSize) -> Int { max(64 << 20, pages.byteCount) }

    func resolvedThreadCount(byteCount: Int, chunk: Int, processors: Int) -> Int {
        let chunks = (byteCount + chunk - 1) / chunk
        let wish = threadCount ?? (byteCount < 1 << 30 ? 1 : min(processors, 8))
        return max(1, min(wish, chunks))
    }
}
