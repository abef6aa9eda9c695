internal import VDPAMemory

/// Where things are drawn: positions along one line from 0 to `width`, in the order of addresses.
///
/// A device's range may have 2^64 bytes and its extents a few pages, so that a line to scale would
/// show nothing. Each hole, reservation and extent has a width of its own, which grows with the
/// logarithm of its size; inside one of them the line is to scale.
struct MapLayout {
    /// A piece of the range.
    struct Piece {
        enum Content {
            case hole
            case reservation(DMASnapshot.Reservation)
            /// The index of an extent, and its regions.
            case extent(Int, DMASnapshot.Extent, [DMASnapshot.Region])
        }

        let first: UInt64
        let last: UInt64
        let content: Content
        var start = 0.0
        var width = 0.0

        /// Bytes, less one: 2^64 of them do not fit.
        var span: UInt64 { last - first }

        /// Where an address of the piece is drawn.
        func position(_ address: UInt64) -> Double {
            start + width * Double(address - first) / (Double(span) + 1)
        }
    }

    private(set) var pieces: [Piece] = []
    let width: Double

    init(_ snapshot: DMASnapshot, width: Double) {
        self.width = width
        var regions: [Int: [DMASnapshot.Region]] = [:]
        for region in snapshot.regions { regions[region.extent, default: []].append(region) }
        pieces += snapshot.holes.map {
            Piece(first: $0.first.rawValue, last: $0.last.rawValue, content: .hole)
        }
        pieces += snapshot.reservations.map {
            Piece(
                first: $0.first.rawValue, last: $0.last.rawValue, content: .reservation($0))
        }
        for (index, extent) in snapshot.extents.enumerated() {
            pieces.append(
                Piece(
                    first: extent.first.rawValue, last: extent.last.rawValue,
                    content: .extent(index, extent, regions[index] ?? [])))
        }
        pieces.sort { $0.first < $1.first }
        let weights = pieces.map(MapLayout.weight)
        let scale = width / max(1, weights.reduce(0, +))
        var position = 0.0
        for (index, weight) in weights.enumerated() {
            pieces[index].start = position
            pieces[index].width = weight * scale
            position += weight * scale
        }
    }

    /// What is mapped has more room than what is not.
    private static func weight(_ piece: Piece) -> Double {
        let logarithm = Double(64 - (piece.span >> 12).leadingZeroBitCount)
        return switch piece.content {
        case .hole: 1 + logarithm / 16
        case .reservation: 1
        case .extent: 2 + logarithm
        }
    }
}

/// The letters and colours of tags: the largest come first, and share one when there are too many.
struct TagKey {
    /// Colours that are told apart.
    static let colourCount = 8
    private let indexes: [String: Int]

    init(_ snapshot: DMASnapshot) {
        var indexes: [String: Int] = [:]
        for usage in snapshot.tags where !usage.tag.isEmpty { indexes[usage.tag] = indexes.count }
        // A snapshot of another writer may leave its totals out.
        for region in snapshot.regions where !region.tag.isEmpty && indexes[region.tag] == nil {
            indexes[region.tag] = indexes.count
        }
        self.indexes = indexes
    }

    /// From 0 to `colourCount - 1`; nil for a region without a tag, and beyond the last colour.
    func colour(_ tag: String) -> Int? {
        indexes[tag].flatMap { $0 < TagKey.colourCount ? $0 : nil }
    }

    /// `A` to `Z` for the largest tags, `#` for regions without one, `+` beyond.
    func letter(_ tag: String) -> Character {
        guard let index = indexes[tag] else { return "#" }
        return index < 26 ? Character(UnicodeScalar(UInt8(65 + index))) : "+"
    }
}
