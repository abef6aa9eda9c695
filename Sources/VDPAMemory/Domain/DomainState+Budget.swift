internal import HostMemory

// Budgets as the caller can ask for them, before anything is done.

extension DomainState {
    var budget: DMABudget {
        var budget = DMABudget()
        for target in targets {
            budget.entriesAtLeast = max(budget.entriesAtLeast, target.entries.lower)
            budget.entriesAtMost = max(budget.entriesAtMost, target.entries.upper)
            if let limit = target.device.entryLimit {
                budget.entryLimit = min(budget.entryLimit ?? limit, limit)
            }
            budget.addressSpaces.append(target.budget)
            guard target.device.pinsMemory else { continue }
            let now = target.device.traits.lockedMemory()
            // Where nothing is limited, a mapping needs no look at what is pinned; here it does.
            let pinned = now.limit == nil ? target.device.traits.pinnedByteCount() : now.pinned
            budget.lockedBytes = max(budget.lockedBytes, pinned)
            if let limit = now.limit {
                budget.lockedByteLimit = min(budget.lockedByteLimit ?? limit, limit)
            }
        }
        budget.regions = liveRegionCount
        budget.regionCapacity = regions.capacity
        budget.freeBytes = space.freeByteCount
        budget.largestHoleBytes = space.largestHole()
        return budget
    }
}

extension MappingTarget {
    fileprivate var budget: AddressSpaceBudget {
        AddressSpaceBudget(
            device: device.name, addressSpace: addressSpace, entriesAtLeast: entries.lower,
            entriesAtMost: entries.upper, entryLimit: device.entryLimit, pinnedBytes: pinnedBytes)
    }
}
