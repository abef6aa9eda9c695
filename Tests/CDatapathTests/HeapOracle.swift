/// What a heap must do, naively: every granule of every extent knows its block.
struct HeapOracle {
    struct Extent {
        let address: UInt64
        let iova: UInt64
        /// For each granule the number of the block that has it; 0 for none.
        var owners: [Int]
    }

    let granule: UInt64
    var extents: [Int: Extent] = [:]

    var freeGranules: Int {
        extents.values.reduce(0) { sum, extent in sum + extent.owners.count { $0 == 0 } }
    }

    var largestFreeGranules: Int {
        extents.values.reduce(0) { max($0, freeRuns($1).map(\.count).max() ?? 0) }
    }

    func freeRuns(_ extent: Extent) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var start: Int?
        for (index, owner) in extent.owners.enumerated() {
            if owner == 0 {
                if start == nil { start = index }
            } else if let begin = start {
                runs.append(begin..<index)
                start = nil
            }
        }
        if let start { runs.append(start..<extent.owners.count) }
        return runs
    }

    /// Whether some free run has so many granules from an aligned place on.
    func fits(_ granules: Int, alignment: UInt64) -> Bool {
        extents.values.contains { extent in
            freeRuns(extent).contains { run in
                run.contains { start in
                    start + granules <= run.upperBound
                        && (extent.address + UInt64(start) * granule) % alignment == 0
                        && (extent.iova + UInt64(start) * granule) % alignment == 0
                }
            }
        }
    }

    /// Enters a block; what is wrong with it otherwise.
    mutating func enter(_ block: Int, address: UInt64, iova: UInt64, granules: Int) -> String? {
        let home = extents.first { _, extent in
            address >= extent.address
                && address < extent.address + UInt64(extent.owners.count) * granule
        }
        guard let (number, extent) = home else { return "in no extent" }
        let (start, rest) = (address - extent.address).quotientAndRemainder(dividingBy: granule)
        let places = Int(start)..<Int(start) + granules
        guard rest == 0, iova - extent.iova == address - extent.address else {
            return "out of step"
        }
        guard places.upperBound <= extent.owners.count else { return "across the extent's end" }
        guard extent.owners[places].allSatisfy({ $0 == 0 }) else { return "over another block" }
        for place in places { extents[number]?.owners[place] = block }
        return nil
    }

    /// Every granule in `count` from the address on is the block's, and then free.
    mutating func leave(_ block: Int, address: UInt64, granules: Int) {
        for (number, extent) in extents where address >= extent.address {
            let start = Int((address - extent.address) / granule)
            guard start < extent.owners.count else { continue }
            for place in start..<start + granules {
                precondition(extent.owners[place] == block, "the oracle lost a block")
                extents[number]?.owners[place] = 0
            }
            return
        }
    }
}
