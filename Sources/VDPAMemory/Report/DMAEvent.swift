/// What happened in a domain, for logs and metrics: see `DMADomainOptions.observer`.
///
/// More cases may come: keep a default.
public enum DMAEvent: Hashable, Sendable {
    /// A mapping was made in every address space of the domain.
    case mapped(IOVARange)
    /// A mapping has gone from every address space.
    case unmapped(IOVARange)
    /// A mapping was freed and waits to be unmapped: its memory and addresses are not reused.
    case quarantined(IOVARange)
    /// So many waiting mappings were unmapped together.
    case flushed(extentCount: Int, byteCount: UInt64)
    /// Something was short: entries, locked memory, hugepages, addresses or regions. `needed` and
    /// `limit` are what `DMAError` says; what could be given back was given back before.
    case refused(DMAError.Code, needed: UInt64?, limit: UInt64?)
    /// A device wrote to memory after it was freed, first at this address: see
    /// `DMADomainOptions.detectsWritesAfterFree`.
    case writtenAfterFree(IOVA)
    /// The layout was applied to an address space.
    case attached(device: String, addressSpace: UInt32)
    /// An address space has left the domain.
    case detached(device: String, addressSpace: UInt32)
    /// The domain is being closed and these were still live, all of one tag together.
    case leaked(DMATagUsage)
    /// Every device's table was brought back to what is mapped.
    case remapped
}
