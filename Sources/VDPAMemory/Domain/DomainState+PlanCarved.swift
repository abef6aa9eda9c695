internal import HostMemory

// Planning regions that are parts of shared extents.

extension DomainState {
    /// - Parameter number: of the region that is being carved, for errors.
    mutating func planCarved(
        _ run: CarveRun, _ number: inout Int, _ transaction: inout MapTransaction
    ) throws(DMAError) {
        guard run.items.contains(where: { !$0.isCancelled }) else { return }
        let carver = try carver(for: run.wanted)
        let placement: IOVAPlacement
        switch run.wanted.options.placement {
        case .anywhere: placement = .anywhere()
        case .within(let window): placement = .within(window)
        case .fixed, .identity: preconditionFailure("a fixed region has an extent of its own")
        }
        for item in run.items {
            if !item.isCancelled {
                try planCarved(item, carver, placement, run.wanted, &transaction)
            }
            number += 1
        }
    }

    private mutating func planCarved(
        _ item: CarveRun.Item, _ carver: Carver, _ placement: IOVAPlacement,
        _ wanted: SettledOptions, _ transaction: inout MapTransaction
    ) throws(DMAError) {
        let place: IOVAAllocation
        if let room = try carver.room(for: item.byteCount, wanted.options.alignment, placement) {
            place = room
        } else {
            do throws(DMAError) {
                try addExtent(to: carver, item.byteCount, wanted.options, &transaction)
            } catch  where error.code == .noSpace && transaction.isTight {
                // No room for an extent: the region is one by itself.
                transaction.carvedBytesToCome.add(-Int(item.byteCount), of: wanted)
                let size = Int(item.byteCount)
                let box = try extentMemory(size, orAtLeast: size, wanted.options, &transaction)
                return try planDedicated(
                    item.id, item.byteCount, wanted.options, box, &transaction)
            }
            do throws(IOVASpaceError) {
                place = try carver.space.allocate(
                    byteCount: item.byteCount, alignment: wanted.options.alignment,
                    placement: placement)
            } catch {
                throw DMAError(error)
            }
        }
        let size = place.range.last.rawValue - place.range.first.rawValue + 1
        transaction.carvedBytesToCome.add(-Int(size), of: wanted)
        let extent = extent(of: carver, at: place.range)
        let offset = place.range.first.rawValue - extent.range.first.rawValue
        let address = extent.address + UInt(offset)
        if !wanted.options.isUninitialised, offset < extent.dirtyByteCount {
            transaction.unclean.append((address: address, byteCount: Int(size)))
        }
        extent.dirtyByteCount = max(extent.dirtyByteCount, offset + size)
        record(
            item.id, place.range, address: address, place.handle, extent, isCarved: true,
            &transaction)
    }

    /// Backs and places another shared extent, large enough for what the batch still wants.
    private mutating func addExtent(
        to carver: Carver, _ byteCount: UInt64, _ wanted: AllocationOptions,
        _ transaction: inout MapTransaction
    ) throws(DMAError) {
        if transaction.isTight { carver.growthLimit = Carver.smallestExtent }
        let size =
            transaction.isTight
            ? carver.smallestExtentByteCount(region: Int(byteCount))
            : carver.nextExtentByteCount(
                region: Int(byteCount),
                wanted: transaction.carvedBytesToCome.of(carver.key))
        let box = try extentMemory(size, orAtLeast: Int(byteCount), wanted, &transaction)
        // Safe: the address is only a number here; the extent keeps the memory alive.
        let address = unsafe UInt(bitPattern: box.memory.baseAddress)
        let bytes = UInt64(box.memory.byteCount)
        let pageSize = UInt64(box.memory.pageSize.byteCount)
        // A page behind it stays unmapped: extents side by side would be one usable range for the
        // carver, which would carve across both, and their memory is not side by side.
        let placed = try place(
            bytes + 4096, address: address, placement: wanted.placement,
            alignment: max(wanted.alignment, UInt64(Carver.smallestExtent)),
            largePage: pageSize, &transaction)
        let first = placed.range.first.rawValue
        let extent = Extent(
            range: IOVARange(first: first, last: first + (bytes - 1)), address: address,
            access: wanted.access, memory: box, carver: carver, handle: placed.handle,
            entries: entries(byteCount: bytes, pageSize: pageSize, areas: 1),
            isJoinable: false)
        do throws(IOVASpaceError) {
            try carver.space.addUsable(extent.range)
        } catch {
            unwind { try space.free(placed.handle) }
            throw DMAError(error)
        }
        carver.extentBytes += bytes
        carver.extentCount += 1
        adopt(extent, placed.handle, &transaction)
    }
}

extension Carver {
    /// Room in what is mapped, or is to be mapped by the batch under way; nil where there is none.
    fileprivate func room(
        for byteCount: UInt64, _ alignment: UInt64, _ placement: IOVAPlacement
    ) throws(DMAError) -> IOVAAllocation? {
        do throws(IOVASpaceError) {
            return try space.allocate(
                byteCount: byteCount, alignment: alignment, placement: placement)
        } catch .noSpace {
            return nil
        } catch {
            throw DMAError(error)
        }
    }
}
