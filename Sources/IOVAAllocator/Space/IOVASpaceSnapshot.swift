/// What a space holds at one moment: a value to compare, keep and print.
///
/// Ranges that wait in the magazine for reuse count as free everywhere here; `cached` says how
/// much of `free` they are. Byte counts saturate at 2^64-1, which only a space of all 2^64 bytes
/// reaches.
public struct IOVASpaceSnapshot: Hashable, Sendable {
    /// A number of ranges, and their bytes.
    public struct Tally: Hashable, Sendable {
        public internal(set) var count = 0
        public internal(set) var byteCount: UInt64 = 0
    }

    /// Live regions, without their guard gaps.
    public internal(set) var regions = Tally()
    /// Regions in quarantine, without their guard gaps.
    public internal(set) var quarantined = Tally()
    /// Guard gaps of live and quarantined regions.
    public internal(set) var guardGaps = Tally()
    /// Pieces of reservations inside the usable ranges where no region lies over them.
    public internal(set) var reserved = Tally()
    /// Holes, as large as they go.
    public internal(set) var free = Tally()
    /// Ranges in the magazine: part of `free`.
    public internal(set) var cached = Tally()
    /// Live regions by size.
    public internal(set) var regionSizes = IOVASizeHistogram()
    /// Holes by size.
    public internal(set) var holeSizes = IOVASizeHistogram()
    var holes = HoleMaxima.none
    var stretches = HoleMaxima.none

    /// The most bytes that one allocation aligned so could have now: as
    /// `IOVASpace.largestHole(alignment:)`.
    public func largestHole(_ alignment: IOVAAlignmentClass) -> UInt64 {
        holes.value(alignment.holeClass)
    }

    /// The most bytes that one allocation aligned so could have if no region lived: the longest
    /// stretch of usable addresses without a reservation.
    public func largestStretch(_ alignment: IOVAAlignmentClass) -> UInt64 {
        stretches.value(alignment.holeClass)
    }

    /// How much smaller the largest hole is than it might be, from 0 to 1: 1 - largest hole / (free
    /// bytes, or the largest stretch where that is less).
    ///
    /// In a space of one usable range this is 1 - largest hole / free bytes. Borders between usable
    /// ranges, and reservations, do not count as fragmentation: no order of the regions would join
    /// what they part. 0 where nothing is free, or no address is aligned so.
    public func fragmentation(_ alignment: IOVAAlignmentClass = .granule) -> Double {
        let attainable = Swift.min(free.byteCount, largestStretch(alignment))
        guard attainable > 0 else { return 0 }
        // Near 2^64 a largest hole is rounded down to granules, the free bytes saturate.
        return Swift.max(0, 1 - Double(largestHole(alignment)) / Double(attainable))
    }
}

/// The alignments that the largest holes are known for.
public enum IOVAAlignmentClass: Hashable, Sendable, CaseIterable {
    /// The space's granule.
    case granule
    /// 2 MiB, or the granule where that is larger.
    case size2MiB
    /// 1 GiB, or the granule where that is larger.
    case size1GiB

    var holeClass: HoleClass {
        switch self {
        case .granule: .page
        case .size2MiB: .huge
        case .size1GiB: .giant
        }
    }
}

/// Ranges counted by size, a class for each power of two: class k counts sizes from 2^k to
/// 2^(k+1) - 1 bytes, and class 64 the one range of all 2^64 bytes.
public struct IOVASizeHistogram: Hashable, Sendable {
    /// By class, 0 to 64.
    public private(set) var counts = [Int](repeating: 0, count: 65)

    /// How many ranges are in the class of a size; 0 bytes are in none.
    public func count(byteCount: UInt64) -> Int {
        byteCount == 0 ? 0 : counts[63 - byteCount.leadingZeroBitCount]
    }

    /// The classes that have ranges, smallest first: the least size in bytes (nil for 2^64), and
    /// how many there are.
    public var nonempty: [(leastByteCount: UInt64?, count: Int)] {
        counts.enumerated().compactMap { power, count in
            count == 0 ? nil : (power == 64 ? nil : 1 << UInt64(power), count)
        }
    }

    /// - Parameter byteCount: 0 stands for 2^64.
    mutating func add(byteCount: UInt64) {
        counts[byteCount == 0 ? 64 : 63 - byteCount.leadingZeroBitCount] += 1
    }
}
