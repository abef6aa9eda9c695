internal import Glibc
package import IOVAAllocator
internal import Synchronization
package import VhostVDPA

/// What a device asks of whoever maps into one of its address spaces, before a ring goes live.
package protocol AddressSpaceLedger: AnyObject, Sendable {
    /// Whether every byte of `range` is mapped in that address space of the device, so that it may
    /// do what `access` says: never of a device that has left.
    ///
    /// The device calls it with no lock held that a mapping operation takes.
    func covers(
        _ range: IOVARange, access: DMAAccess, of device: VDPADevice, addressSpace: UInt32
    ) -> Bool

    /// Whether a reset may have lost the device's mappings, and nobody has restored them.
    func hasLostTable(of device: VDPADevice, addressSpace: UInt32) -> Bool
}

extension AddressSpaceLedger {
    package func hasLostTable(of device: VDPADevice, addressSpace: UInt32) -> Bool { false }
}

/// The address spaces of one device that are taken, and by whom.
struct AddressSpaceClaims: Sendable {
    /// Weak, since a domain keeps its device alive. A claim outlives its ledger until it is
    /// released: the domain's last unmaps come after its weak references are gone.
    private struct Claim: Sendable {
        weak var ledger: (any AddressSpaceLedger)?
    }

    private var claims: [UInt32: Claim] = [:]

    /// Whether the claim was free, and is now taken.
    mutating func claim(_ addressSpace: UInt32, _ ledger: any AddressSpaceLedger) -> Bool {
        guard claims[addressSpace] == nil else { return false }
        claims[addressSpace] = Claim(ledger: ledger)
        return true
    }

    mutating func release(_ addressSpace: UInt32) { claims[addressSpace] = nil }

    func ledger(_ addressSpace: UInt32) -> (any AddressSpaceLedger)? {
        claims[addressSpace]?.ledger
    }
}

extension VDPADevice {
    /// Takes an address space for a domain, until `release(addressSpace:)`.
    ///
    /// - Throws: `addressSpace` where the device has no such space or a domain has it.
    package func claim(
        addressSpace: UInt32, ledger: any AddressSpaceLedger
    ) throws(DMAError) {
        guard addressSpace < addressSpaceCount else {
            throw DMAError(
                .addressSpace,
                "\(name) has no address space \(addressSpace).",
                remedy: "Stay below its number of address spaces (`addressSpaceCount`).",
                needed: UInt64(addressSpace) + 1, limit: UInt64(addressSpaceCount))
        }
        guard claims.withLock({ $0.claim(addressSpace, ledger) }) else {
            throw DMAError(
                .addressSpace,
                "Address space \(addressSpace) of \(name) belongs to another domain.",
                remedy: "Share that domain, or let go of it and of its regions first.",
                meaning: EBUSY)
        }
    }

    /// Gives an address space back: nothing is mapped in it any more.
    package func release(addressSpace: UInt32) { claims.withLock { $0.release(addressSpace) } }
}
