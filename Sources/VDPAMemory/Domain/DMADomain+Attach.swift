internal import Synchronization

extension DMADomain {
    /// Applies the layout to one more address space: of another device, or of the same one.
    ///
    /// Everything that is mapped is mapped there too, in one batch where the device can, or nothing
    /// has changed. From then on each change is made in every address space, and undone in all
    /// where one refuses; `range` is what all devices can address, and the windows of none are
    /// chosen.
    ///
    /// What waits in quarantine is flushed first, and shared extents that nobody uses are given
    /// back.
    ///
    /// - Throws: `addressSpace` where it does not exist or a domain has it; `outsideRange` or
    ///   `overlap` with the first live mapping that does not fit the device; `unsuitableMemory`
    ///   with the first registered memory that its kind cannot map; `entryLimit`,
    ///   `lockedMemoryLimit`, `kernelRefused`; `undoIncomplete` where the device took some and
    ///   would not give them back: then the address space stays taken until the device is closed;
    ///   and where an earlier undo failed, until `remap()`.
    /// - Complexity: O(n log n) in the number of mappings. System calls: a write for each mapping.
    public func attach(_ device: VDPADevice, addressSpace: UInt32 = 0) throws(DMAError) {
        try requireOwnProcess()
        try device.claim(addressSpace: addressSpace, ledger: core)
        do throws(DMAError) {
            let target = MappingTarget(device, addressSpace: addressSpace)
            let released = try locked { state throws(DMAError) in try state.attach(target) }
            withExtendedLifetime(released) {}
        } catch {
            // What may still be mapped there keeps the address space taken. An undo may have failed
            // on another device as well, in the flush before the new one heard of anything.
            if !error.keepsAddressSpace { device.release(addressSpace: addressSpace) }
            throw error
        }
    }

    /// Takes an address space out of the domain: unmaps everything there, or changes nothing.
    ///
    /// A domain whose last device is detached lives on: regions keep their addresses and memory,
    /// and the next device that is attached gets them all. So a device can be closed, opened again
    /// and attached anew.
    ///
    /// - Parameter device: one that is attached.
    /// - Parameter addressSpace: of the device.
    /// - Parameter unmapping: false for a device that is gone or about to be closed: nothing is
    ///   sent, and the library's memory that is freed from then on is kept until the device's file
    ///   is closed. **Registered memory is the caller's to keep**: `unregister` returns without a
    ///   message to that device, which can reach the memory until its file is closed. So close the
    ///   device first, and unregister then.
    /// - Throws: `addressSpace` where it is not attached; `unsafeControl` while a ring is enabled
    ///   there; what the kernel refused; `undoIncomplete` where it took some and would not take
    ///   them back, or where an earlier undo failed: the device stays attached, and `remap()`
    ///   repairs it.
    public func detach(
        _ device: VDPADevice, addressSpace: UInt32 = 0, unmapping: Bool = true
    ) throws(DMAError) {
        let kept = try locked { state throws(DMAError) -> [Extent]? in
            try state.requireOpen()
            guard let target = state.target(device, addressSpace) else {
                throw DMAError(
                    .addressSpace,
                    "Address space \(addressSpace) of \(device.name) is not attached.",
                    remedy: "Detach what was attached, once.")
            }
            guard unmapping else { return state.abandon(target) }
            try state.detach(target)
            return nil
        }
        if let kept {
            device.keepUntilClosed(kept)
        } else {
            device.release(addressSpace: addressSpace)
        }
    }

    /// The devices and address spaces that have the layout.
    public var attachments: [(device: VDPADevice, addressSpace: UInt32)] {
        look(inChild: []) { state in state.targets.map { ($0.device, $0.addressSpace) } }
    }

    /// Whether a reset may have lost some device's mappings: then `remap()` is due.
    public var needsRemap: Bool {
        look(inChild: false) { state in
            state.needsRemap || state.counters.lostExtents > 0
                || state.targets.contains(where: \.isTableLost)
        }
    }
}
