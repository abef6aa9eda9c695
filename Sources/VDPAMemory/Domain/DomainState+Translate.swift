// The translator's tables follow the regions: filled when somebody first asks for them, and from
// then on changed where regions come to live and cease to.

extension DMADomain {
    /// Address to IOVA and back, without a lock, for every region of the domain.
    ///
    /// The first call makes the tables and fills them in; from then on they follow every change.
    ///
    /// - Throws: `hostMemory` where there is no address space for them; `closed`; `notOwner` in a
    ///   forked child.
    /// - Complexity: the first call takes the lock for O(regions + mapped bytes / 2 MiB); the
    ///   others O(1). System calls: the first call some mmap(2). Afterwards every mapping may take
    ///   one more for the tables, before the device is told, and an unmapping some madvise(2).
    public var translator: AddressTranslator {
        get throws(DMAError) {
            AddressTranslator(
                try locked { state throws(DMAError) in try state.translationTables() })
        }
    }
}

extension DomainState {
    /// The tables, made and filled in where nobody has asked before.
    mutating func translationTables() throws(DMAError) -> TranslationTables {
        try requireOpen()
        if let translation { return translation }
        let tables = try TranslationTables(
            first: range.first.rawValue, mappingLimit: options.translatorMappingLimit)
        for extent in liveExtents() { try tables.prepare(extent) }
        var live: [RegionRecord] = []
        regions.visit { _, record in if record.state == .live { live.append(record) } }
        for record in live { try tables.prepare(record) }
        translation = tables
        for record in live { translate(record) }
        return tables
    }

    /// Takes what the transaction's regions need in the tables: the last step before the messages
    /// that can fail.
    func prepareTranslation(_ transaction: MapTransaction) throws(DMAError) {
        guard let translation else { return }
        for extent in transaction.newExtents { try translation.prepare(extent) }
        for id in transaction.placed {
            if let record = regions.record(id) { try translation.prepare(record) }
        }
    }

    /// Makes a region known that lives from now on.
    mutating func translate(_ record: RegionRecord) {
        guard let translation else { return }
        if translation.insert(
            iova: record.first, address: record.address, byteCount: record.byteCount)
        {
            shareMemory(record, translation)
        }
    }

    /// The memory of a region has other IOVAs as well.
    ///
    /// - Complexity: O(regions).
    private func shareMemory(_ record: RegionRecord, _ translation: TranslationTables) {
        let range = AliasedRange(record)
        var sharers: [AliasedRange] = []
        regions.visit { _, other in
            guard other.state == .live else { return }
            let other = AliasedRange(other)
            if other.overlaps(range) { sharers.append(other) }
        }
        translation.share(range, sharers)
    }

    /// Forgets the regions that a transaction has freed, before their ranges can be anybody's.
    func untranslate(_ transaction: MapTransaction) {
        guard let translation else { return }
        for id in transaction.freed + transaction.yielded.flatMap(\.regions) {
            guard let record = regions.record(id) else { continue }
            translation.remove(record)
            // Of a shared extent the tables stay until the extent goes.
            if !record.isCarved { translation.reclaim(record) }
        }
    }

    /// The end of all regions.
    func untranslateAll(_ extents: [Extent]) {
        guard let translation else { return }
        regions.visit { _, record in
            guard record.state == .live else { return }
            translation.remove(record)
            translation.reclaim(record)
        }
        for extent in extents { translation.reclaim(extent) }
    }
}

extension TranslationTables {
    func prepare(_ extent: Extent) throws(DMAError) {
        guard extent.carver != nil else { return }
        try prepare(
            iova: extent.range.first.rawValue, address: extent.address,
            byteCount: extent.byteCount, inParts: true)
    }

    func prepare(_ record: RegionRecord) throws(DMAError) {
        guard !record.isCarved else { return }
        try prepare(
            iova: record.first, address: record.address, byteCount: record.byteCount,
            inParts: false)
    }

    func remove(_ record: RegionRecord) {
        remove(iova: record.first, address: record.address, byteCount: record.byteCount)
    }

    func reclaim(_ record: RegionRecord) {
        reclaim(iova: record.first, address: record.address, byteCount: record.byteCount)
    }

    func reclaim(_ extent: Extent) {
        guard extent.carver != nil else { return }
        reclaim(
            iova: extent.range.first.rawValue, address: extent.address,
            byteCount: extent.byteCount)
    }
}

extension AliasedRange {
    init(_ record: RegionRecord) {
        self.init(
            iova: record.first, address: UInt64(record.address), byteCount: record.byteCount)
    }
}
