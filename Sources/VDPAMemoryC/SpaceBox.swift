internal import CVDPAMemory
internal import IOVAAllocator
internal import Synchronization
internal import VDPAMemory

/// A space that C holds. It serves one thread at a time: who comes while another is inside is told
/// so, instead of meeting a tree half changed.
final class SpaceBox: @unchecked Sendable {
    private var space: IOVASpace
    private let isBusy = Atomic<Bool>(false)

    init(_ space: consuming IOVASpace) { self.space = space }

    func enter<Answer>(
        _ body: (inout IOVASpace) throws(IOVASpaceError) -> Answer
    ) throws(CallError) -> Answer {
        guard !isBusy.exchange(true, ordering: .acquiring) else {
            throw CallError(VDM_E_WRONG_THREAD)
        }
        defer { isBusy.store(false, ordering: .releasing) }
        do throws(IOVASpaceError) {
            return try body(&space)
        } catch {
            throw .library(DMAError(error))
        }
    }
}

/// A call on a space.
@safe
func onSpace(_ handle: OpaquePointer?, _ body: (SpaceBox) throws(CallError) -> Void) -> CInt {
    call { () throws(CallError) in
        try body(try object(handle, CVDM_KIND_SPACE, as: SpaceBox.self))
    }
}
