/// Huge pages for the library's own bookkeeping, which nobody maps for a device.
package enum MetadataAdvice {
    /// madvise(MADV_HUGEPAGE). Its refusal (a kernel without transparent huge pages) costs speed
    /// and nothing else, so it is not reported.
    package static let hugePages: @Sendable (UInt, Int) -> Void = { address, byteCount in
        _ = SystemCalls().advise(.adviseHugepage, address, byteCount: byteCount)
    }
}
