extension IOVASpace {
    /// Raises the capacity that was stated at creation.
    ///
    /// The metadata moves to larger blocks, had as `IOVAMetadataOptions` said at creation. Regions,
    /// handles, reservations and what the magazine keeps stay as they are; the magazine's limits
    /// do, too. A space never grows unasked.
    ///
    /// - Parameters:
    ///   - regionCapacity: how many regions may exist at once from now on: at least as many as now.
    ///   - reservationCapacity: see `init`; as it is where nil, and at least as many as now.
    /// - Throws: `.badCapacity` for less than now or more than there may be; `.noMetadataMemory`
    ///   where the system has no memory for the larger blocks. Nothing has changed then.
    /// - Complexity: O(n): what is in use is copied. The old and the new blocks exist together
    ///   while it lasts.
    public mutating func grow(
        regionCapacity: Int, reservationCapacity: Int? = nil
    ) throws(IOVASpaceError) {
        let reservationCapacity = reservationCapacity ?? self.reservationCapacity
        try Self.check(granule, regionCapacity, reservationCapacity)
        guard regionCapacity >= self.regionCapacity else { throw .badCapacity(regionCapacity) }
        guard reservationCapacity >= self.reservationCapacity else {
            throw .badCapacity(reservationCapacity)
        }
        guard
            regionCapacity > self.regionCapacity || reservationCapacity > self.reservationCapacity
        else { return }
        let ranges = regionCapacity + keptCapacity
        let populated = metadata.isPopulated ? regionCapacity : 0
        guard
            let largerTree = tree.growth(
                entryCapacity: ranges + reservationCapacity + 2, expectedCount: populated, metadata),
            let largerTable = handles.growth(capacity: ranges, populated: populated, metadata)
        else { throw .noMetadataMemory(regionCapacity: regionCapacity) }
        tree.grow(largerTree)
        handles.grow(largerTable)
        self.regionCapacity = regionCapacity
        self.reservationCapacity = reservationCapacity
    }
}
