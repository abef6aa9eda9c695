import CVDPAMemory
import Testing

@testable import VDPAMemory

/// The numbers of errors are one table: what C calls them is what Swift calls them.
struct CCodeTests {
    static let pairs: [(vdm_code, DMAError.Code)] = [
        (VDM_E_INVALID_ARGUMENT, .invalidArgument), (VDM_E_NO_SUCH_REGION, .noSuchRegion),
        (VDM_E_OUTSIDE_RANGE, .outsideRange), (VDM_E_OVERLAP, .overlap),
        (VDM_E_NO_SPACE, .noSpace), (VDM_E_REGION_CAPACITY, .regionCapacity),
        (VDM_E_UNSUITABLE_MEMORY, .unsuitableMemory), (VDM_E_HEAP_CAPACITY, .heapCapacity),
        (VDM_E_ENTRY_LIMIT, .entryLimit), (VDM_E_LOCKED_MEMORY_LIMIT, .lockedMemoryLimit),
        (VDM_E_HOST_MEMORY, .hostMemory), (VDM_E_DEVICE_UNAVAILABLE, .deviceUnavailable),
        (VDM_E_NOT_OWNER, .notOwner), (VDM_E_ADDRESS_SPACE, .addressSpace),
        (VDM_E_NOT_SUPPORTED, .notSupported), (VDM_E_DEVICE_GONE, .deviceGone),
        (VDM_E_KERNEL_REFUSED, .kernelRefused), (VDM_E_UNSAFE_CONTROL, .unsafeControl),
        (VDM_E_QUEUES_ENABLED, .queuesEnabled), (VDM_E_CLOSED, .closed),
        (VDM_E_UNDO_INCOMPLETE, .undoIncomplete), (VDM_E_CANCELLED, .cancelled),
    ]

    @Test("C and Swift have the same number for each error", arguments: pairs)
    func sameNumber(c: vdm_code, swift: DMAError.Code) {
        #expect(c.rawValue == swift.rawValue)
    }

    @Test func everyErrorHasATextAndARemedyInC() {
        for (code, _) in CCodeTests.pairs {
            let text = unsafe String(cString: vdm_strerror(code.rawValue))
            #expect(text != "unknown code" && !text.isEmpty)
            #expect(unsafe !String(cString: vdm_remedy(code.rawValue)).isEmpty)
        }
        #expect(unsafe String(cString: vdm_strerror(-9999)) == "unknown code")
    }

    /// A code that only one side knows would have no pair above.
    @Test func noNumberIsUsedTwice() {
        let numbers = CCodeTests.pairs.map(\.0.rawValue)
        #expect(Set(numbers).count == numbers.count)
    }
}
