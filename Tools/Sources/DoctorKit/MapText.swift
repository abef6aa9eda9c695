public import VDPAMemory

extension DMASnapshot {
    /// The map in a terminal: a line for each extent with a bar of its regions, a short line for
    /// what lies between, then what the letters mean.
    ///
    /// A column of a bar stands for the bytes under it, and shows the tag of the first region in
    /// them: `.` is free, `~` waits in quarantine.
    public func text(_ terminal: Terminal) -> String {
        MapText(self, terminal).text
    }
}

/// Draws one snapshot.
private struct MapText {
    let snapshot: DMASnapshot
    let terminal: Terminal
    let key: TagKey
    let layout: MapLayout

    init(_ snapshot: DMASnapshot, _ terminal: Terminal) {
        self.snapshot = snapshot
        self.terminal = terminal
        key = TagKey(snapshot)
        layout = MapLayout(snapshot, width: 1)
    }

    var text: String {
        var lines = heading
        for piece in layout.pieces { lines += draw(piece) }
        return (lines + legend).joined(separator: "\n") + "\n"
    }

    private var heading: [String] {
        let counts =
            "\(counted(snapshot.regions.count, "region")) in "
            + "\(counted(snapshot.extents.count, "extent")), "
            + "range [\(snapshot.range.first), \(snapshot.range.last)]"
        return [terminal.paint(counts, .bold)]
            + snapshot.addressSpaces.map { space in
                let limit = space.entryLimit.map { " of \($0)" } ?? ""
                let entries =
                    space.entriesAtLeast == space.entriesAtMost
                    ? "\(space.entriesAtMost)" : "\(space.entriesAtLeast) to \(space.entriesAtMost)"
                return "\(space.device), address space \(space.addressSpace): \(entries)\(limit) "
                    + "entries, \(Bytes.text(space.pinnedBytes)) pinned"
                    + (space.needsRemap ? terminal.paint(", needs remap()", .red) : "")
            }
    }

    private func draw(_ piece: MapLayout.Piece) -> [String] {
        let size = Bytes.text(span: piece.span)
        switch piece.content {
        case .hole: return [terminal.paint("    hole         \(size)", .dim)]
        case .reservation(let reservation):
            let kind = reservation.isGuarded ? "reserved" : "never chosen"
            return [terminal.paint("    \(kind) \(reservation.first) \(size)", .dim)]
        case .extent(_, let extent, let regions):
            let bar = bar(piece, extent, regions, columns: terminal.width - 2)
            return ["\(extent.first) \(size) \(extent.summary)", "  " + bar]
        }
    }

    /// One character for each column.
    private func bar(
        _ piece: MapLayout.Piece, _ extent: DMASnapshot.Extent, _ regions: [DMASnapshot.Region],
        columns: Int
    ) -> String {
        guard !extent.isQuarantined else {
            return terminal.paint(String(repeating: "~", count: columns), .dim)
        }
        // Never more columns than pages.
        let pages = Double(piece.span >> 12) + 1
        let count = min(columns, Int(min(pages, 1_000_000)))
        var cells = [Int?](repeating: nil, count: count)
        for (index, region) in regions.enumerated() {
            let bytes = Double(piece.span) + 1
            let first = Double(region.first.rawValue - piece.first) / bytes * Double(count)
            let last = Double(region.last.rawValue - piece.first) / bytes * Double(count)
            for cell in min(count - 1, Int(first))...min(count - 1, Int(last))
            where cells[cell] == nil {
                cells[cell] = index
            }
        }
        var text = ""
        for cell in cells {
            guard let cell else {
                text += terminal.paint(".", .dim)
                continue
            }
            let tag = regions[cell].tag
            let letter = String(key.letter(tag))
            text += key.colour(tag).map { terminal.paint(letter, Colour.tags[$0]) } ?? letter
        }
        return text
    }

    private var legend: [String] {
        snapshot.tags.map { usage in
            let letter = String(key.letter(usage.tag))
            let mark = key.colour(usage.tag).map { terminal.paint(letter, Colour.tags[$0]) }
            let name = usage.tag.isEmpty ? "without a tag" : usage.tag
            return "\(mark ?? letter) \(name): \(counted(usage.regions, "region")), "
                + Bytes.text(usage.byteCount)
        }
    }
}

extension DMASnapshot.Extent {
    /// Kind, access, pages and nodes in a few words.
    var summary: String {
        var words = [kind.rawValue, access.rawValue]
        if let pages { words.append("in \(pages.name) pages") }
        let places = nodes.map { "node \($0.node)" }
        if !places.isEmpty { words.append("on " + places.joined(separator: " and ")) }
        words.append(isQuarantined ? "in quarantine" : counted(regions, "region"))
        return words.joined(separator: ", ")
    }
}

extension DMASnapshot.Pages {
    var name: String {
        switch self {
        case .size4KiB: "4 KiB"
        case .transparent2MiB: "transparent 2 MiB"
        case .size2MiB: "2 MiB"
        case .size1GiB: "1 GiB"
        }
    }
}
