import TestSupport

@testable import IOVAAllocator

/// All that the later answers of a small space and its model depend on: two with the same image
/// cannot be told apart by any further operations.
///
/// Not in it: scratch that every operation writes before it reads it, and the model's records of
/// what has been. The oracle's pages are not either, because the walk over the space has just been
/// found to be the same; its reservations, which regions may hide, are.
struct SpaceImage: Hashable {
    private var words: [UInt64] = []

    init<Oracle: SpaceOracle>(_ model: borrowing SpaceModel<Oracle>) {
        words = model.space.withSingle { SpaceImage(of: $0).words }
        for reservation in model.reservations { add(reservation.range, reservation.policy) }
        add(model.live)
        add(model.quarantined)
    }

    private init(of space: borrowing IOVASpace) {
        add(space.tree)
        add(space.handles)
        add(space.magazine)
        words += [
            UInt64(space.restoreDebt), space.freeBytes, space.usedBytes,
            UInt64(space.quarantinedCount), UInt64(space.regionCapacity),
            UInt64(space.tree.entryCapacity),
        ]
        for reservation in space.reservations { add(reservation.range, reservation.policy) }
    }

    private mutating func add(_ tree: borrowing IntervalTree) {
        // One leaf, and never another: no inner nodes, and no nodes given back, to be looked at.
        precondition(tree.height == 0 && tree.leaves.usedCount == 1)
        precondition(tree.leaves.touchedByteCount == LeafNode.byteCount)
        let leaf = tree.leaf(tree.root)
        words += [UInt64(tree.count), UInt64(leaf.count), leaf.end]
        for index in 0..<leaf.count {
            words += [leaf.first(index), leaf.last(index), UInt64(leaf.tag(index).rawValue)]
        }
    }

    /// Free slots too: their generations and the order in which they come back. The links say which
    /// is the first, as no other leads to it.
    private mutating func add(_ handles: borrowing HandleTable) {
        words += [UInt64(handles.count), UInt64(handles.touchedByteCount)]
        for slot in 0..<UInt32(handles.touchedByteCount / 16) {
            let generation = handles.handle(ofSlot: slot).generation
            words += [
                handles.first(ofSlot: slot),
                UInt64(generation) << 32 | UInt64(handles.link(ofSlot: slot)),
            ]
        }
    }

    private mutating func add(_ magazine: borrowing RangeMagazine) {
        words += [
            UInt64(magazine.count), magazine.byteCount, magazine.byteLimit,
            UInt64(magazine.hand), UInt64(magazine.round), magazine.isSpaceTight ? 1 : 0,
            UInt64(magazine.freesSinceBypass),
        ]
        for index in 0..<RangeClass.count
        where magazine.head(index) != .max || magazine.round(index) > 0 {
            words += [
                UInt64(index), UInt64(magazine.head(index)), UInt64(magazine.count(index)),
                UInt64(magazine.round(index)),
            ]
        }
    }

    private mutating func add(_ range: IOVARange, _ policy: ReservationPolicy) {
        words += [range.first.rawValue, range.last.rawValue, UInt64(policy.rawValue)]
    }

    private mutating func add(_ allocations: [IOVAAllocation]) {
        words.append(UInt64(allocations.count))
        for allocation in allocations {
            let handle = allocation.handle
            words.append(UInt64(handle.slot) << 32 | UInt64(handle.generation))
        }
    }
}
