internal import HostMemory

// Memory for shared extents is had before the domain's lock is taken: a GiB takes a good part of a
// second to populate, and nobody is to wait for it. Only a plan knows what it needs; so it says so,
// is taken back, and made again once the memory is there.

/// What a plan could not go on without.
struct ExtentNeed {
    let byteCount: Int
    let options: AllocationOptions
    /// The operation of the batch that wants it.
    var operationIndex: Int?
}

/// Memory that was had for a batch's shared extents, or why it was not.
struct ExtentSupply {
    private struct Item {
        let key: CarverKey
        let byteCount: Int
        let answer: Result<MemoryBox, DMAError>
        var isUsed = false
    }

    private var items: [Item] = []

    mutating func add(_ need: ExtentNeed, _ answer: Result<MemoryBox, DMAError>) {
        items.append(
            Item(key: CarverKey(need.options), byteCount: need.byteCount, answer: answer))
    }

    /// Takes what is there for an extent of this size: or for one that holds at least `least`
    /// bytes, since other threads may have changed what is best meanwhile.
    ///
    /// - Returns: nil where nobody has asked yet.
    mutating func take(
        _ key: CarverKey, byteCount: Int, orAtLeast least: Int
    ) throws(DMAError) -> MemoryBox? {
        var best: Int?
        for (index, item) in items.enumerated() where !item.isUsed && item.key == key {
            guard case .success = item.answer, item.byteCount >= least else { continue }
            if best == nil || item.byteCount == byteCount { best = index }
        }
        if let best {
            items[best].isUsed = true
            return try items[best].answer.get()
        }
        // What was refused would be refused again, and more of it too.
        for item in items where item.key == key && item.byteCount <= byteCount {
            if case .failure(let error) = item.answer { throw error }
        }
        return nil
    }
}

/// What became of a batch.
enum CommitAnswer {
    /// It is done; the extents are to be released outside the lock.
    case done([Extent])
    /// Nothing has happened: this is to be had first.
    case needsMemory(ExtentNeed)
}

extension DomainState {
    /// Memory for a shared extent of `byteCount` bytes that must hold a region of `least`.
    mutating func extentMemory(
        _ byteCount: Int, orAtLeast least: Int, _ wanted: AllocationOptions,
        _ transaction: inout MapTransaction
    ) throws(DMAError) -> MemoryBox {
        // The smallest, where something is short: there may be hundreds, and each is had at once.
        if transaction.isTight, byteCount <= Carver.smallestExtent {
            return try MemoryBox.allocate(
                byteCount, wanted, deviceNode: numaNode, options.hostCalls)
        }
        let box = try transaction.supply.take(
            CarverKey(wanted), byteCount: byteCount,
            orAtLeast: transaction.isTight ? byteCount : least)
        if let box { return box }
        extentNeed = ExtentNeed(byteCount: byteCount, options: wanted)
        throw DMAError(
            .hostMemory, "Memory for a shared extent is still to be had.", remedy: "Try again.")
    }
}

extension DMADomain {
    /// Has the memory that a plan needs, with the options' progress told. Where the host has it
    /// not, the supply says so to the next plan, which may do with smaller extents.
    func provide(_ need: ExtentNeed, _ supply: inout ExtentSupply) throws(DMAError) {
        do throws(DMAError) {
            supply.add(need, .success(try memory(need.byteCount, need.options)))
        } catch {
            guard error.code == .hostMemory else {
                look(inChild: ()) { state in state.countRefused(error) }
                throw need.operationIndex.map { error.inOperation($0) } ?? error
            }
            supply.add(need, .failure(error))
        }
    }
}
