/// Which sizes a churn asks for, in pages of 4 KiB; alignment follows from the size alone
/// (`RegionShape`). `Benchmarks/README.md` says why these.
public enum SizeDistribution: String, Sendable, CaseIterable {
    /// The rule of W1 and W2: `mixedPageCount`, mean 2.1 MB.
    case mixed
    /// Every region is 4 KiB.
    case page = "4k"
    /// Every region is 2 MiB.
    case huge = "2m"
    /// 4 KiB to 1 GiB in powers of two, each of the 19 as likely as the next: mean 113 MB.
    case powers = "pow2"
    /// The mixed rule, stretched by a factor that slides from 1 to 10 over the trace: no size stays
    /// in use, so that what is freed is seldom what is asked for next.
    case drift

    /// Powers of two from one page to 2^18 pages.
    static let powerCount = 19

    /// The size of one draw; `step` of `steps` says how far the trace is. The fill is step 0.
    func pageCount(_ draw: UInt64, step: Int, of steps: Int) -> UInt32 {
        switch self {
        case .mixed: mixedPageCount(draw)
        case .page: 1
        case .huge: 512
        case .powers: 1 << UInt32(pick(draw, below: Self.powerCount))
        case .drift: Self.stretched(mixedPageCount(draw), step: step, of: steps)
        }
    }

    /// In integers, so that other languages compute the same. Large sizes stay whole 2 MiB pages,
    /// as backing memory is.
    private static func stretched(_ pages: UInt32, step: Int, of steps: Int) -> UInt32 {
        guard steps > 0 else { return pages }
        let exact = UInt64(pages) * UInt64(steps + 9 * step) / UInt64(steps)
        return UInt32(exact < 512 ? exact : (exact + 511) / 512 * 512)
    }

    /// The range of W1, never short: 10^6 regions of the mean size, ten-fold for `drift`, take less
    /// than a third of it.
    var sparseByteCount: UInt64 {
        switch self {
        case .mixed, .page, .huge: 1 << 46
        case .powers, .drift: 1 << 50
        }
    }
}
