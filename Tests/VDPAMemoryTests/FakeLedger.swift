import IOVAAllocator
import Synchronization
import VDPAMemory
import VhostVDPA

/// A domain's side of an address space: says what is mapped, and can do something when asked.
final class FakeLedger: AddressSpaceLedger {
    struct Mapping: Sendable {
        let range: IOVARange
        let access: DMAAccess
    }

    private let mappings: Mutex<[Mapping]>
    private let whenAsked: @Sendable () -> Void

    init(
        _ range: IOVARange? = nil, _ access: DMAAccess = .readWrite,
        whenAsked: @escaping @Sendable () -> Void = {}
    ) {
        mappings = Mutex(range.map { [Mapping(range: $0, access: access)] } ?? [])
        self.whenAsked = whenAsked
    }

    func map(_ range: IOVARange, _ access: DMAAccess = .readWrite) {
        mappings.withLock { $0.append(Mapping(range: range, access: access)) }
    }

    func unmapEverything() { mappings.withLock { $0 = [] } }

    func covers(
        _ range: IOVARange, access: DMAAccess, of device: VDPADevice, addressSpace: UInt32
    ) -> Bool {
        whenAsked()
        return mappings.withLock { mappings in
            mappings.contains {
                $0.range.contains(range)
                    && $0.access.rawValue & access.rawValue == access.rawValue
            }
        }
    }
}
