import IOVAAllocator
import TestSupport
import Testing

/// Every sequence of operations on a space of 8 pages, against a bitmap.
///
/// The usual depth keeps `swift test` quick; `make test` goes to depth 6 in release
/// (`Scripts/test-release`), and `make soak` to 7.
@Suite struct ExhaustiveTests {
    typealias Step = @Sendable (borrowing SpaceModel<BitmapOracle>) -> SpaceOperation

    /// 8 pages: at the bottom, at the top, and of 2^61 bytes each, which is all there is.
    enum Place: CaseIterable {
        case bottom, top, everything

        var oracle: BitmapOracle {
            switch self {
            case .bottom: BitmapOracle(base: 0, granule: 4096, pageCount: 8)
            case .top: BitmapOracle(base: 0 &- 8 * 4096, granule: 4096, pageCount: 8)
            case .everything: BitmapOracle(base: 0, granule: 1 << 61, pageCount: 8)
            }
        }
    }

    static let depth = TestKnobs.count("VDPA_EXHAUSTIVE_DEPTH", 4)

    @Test(
        "every sequence of allocations and frees agrees with the bitmap", arguments: Place.allCases)
    func allocationsAndFrees(place: Place) throws {
        try walk(
            place,
            [
                allocate(1), allocate(3), allocate(1, .highest), allocate(2, .highest),
                allocate(1, aligned: 4), allocate(2, .highest, aligned: 2),
                within(1...4, 2, .lowest), within(3...6, 1, .highest),
                fixed(0), fixed(5),
                freeAt(0), freeAt(2), freeAt(7),
                { .free($0.live.first?.handle ?? noHandle) },
                { .free($0.live.last?.handle ?? noHandle) },
            ])
    }

    @Test(
        "every sequence of reservations, ranges and quarantine agrees with the bitmap",
        arguments: Place.allCases)
    func reservationsAndRanges(place: Place) throws {
        try walk(
            place,
            [
                allocate(2), allocate(1, .highest), fixed(2), fixed(4, over: true),
                { .free($0.live.last?.handle ?? noHandle) },
                { .quarantine($0.live.last?.handle ?? noHandle) },
                { .release($0.quarantined.last?.handle ?? noHandle) },
                reserve(1...3, .placeable), reserve(2...5, .guarded), cancel(1...3, .placeable),
                cancel(2...5, .guarded), withdraw(0...0), withdraw(3...6), add(0...0), add(4...5),
            ])
    }

    @Test(
        "every sequence of best fits and guard gaps, over reservations too, agrees with the bitmap",
        arguments: Place.allCases)
    func bestFitsAndGaps(place: Place) throws {
        try walk(
            place,
            [
                allocate(1, .bestFit), allocate(2, .bestFit), allocate(2, .bestFit, aligned: 2),
                within(2...6, 1, .bestFit),
                allocate(1, .lowest, before: 0, behind: 1), allocate(1, .any, before: 1, behind: 1),
                allocate(2, .bestFit, before: 0, behind: 1),
                allocate(1, .highest, before: 2, behind: 0),
                fixed(3, over: true, behind: 1), freeAt(1),
                { .free($0.live.first?.handle ?? noHandle) },
                { .quarantine($0.live.last?.handle ?? noHandle) },
                { .release($0.quarantined.last?.handle ?? noHandle) },
                reserve(4...6, .guarded), cancel(4...6, .guarded),
            ])
    }

    /// One operation of each kind, in a space of three regions until it grows: what the sets above
    /// have apart meets here.
    @Test(
        "every sequence of operations of all kinds, growth too, agrees with the bitmap",
        arguments: Place.allCases)
    func allKinds(place: Place) throws {
        try walk(
            place, regionCapacity: 3,
            [
                allocate(1), allocate(2, .highest), allocate(1, .bestFit),
                allocate(1, .any, before: 1, behind: 1), fixed(2), fixed(4, over: true, behind: 1),
                { .free($0.live.first?.handle ?? noHandle) },
                { .quarantine($0.live.last?.handle ?? noHandle) },
                { .release($0.quarantined.last?.handle ?? noHandle) },
                reserve(2...5, .guarded), cancel(2...5, .guarded), withdraw(0...1), add(0...0),
                { _ in .flush }, { .grow(regionCapacity: $0.regionCapacity + 1) },
            ])
    }

    /// Breadth first. Sequences that lead to the same state, to the last slot and link (see
    /// `SpaceImage`), go on as one, which is counted as many times.
    private func walk(_ place: Place, regionCapacity: Int = 8, _ steps: [Step]) throws {
        var states = [[Int](): 1]
        var checked = 0
        for _ in 0..<Self.depth {
            var next: [SpaceImage: (digits: [Int], count: Int)] = [:]
            for (digits, count) in states {
                for number in steps.indices {
                    let sequence = digits + [number]
                    let image: SpaceImage
                    do {
                        image = try run(place.oracle, regionCapacity, sequence.map { steps[$0] })
                    } catch {
                        throw Mismatch("\(place), steps \(sequence): \(error)")
                    }
                    checked += 1
                    next[image, default: (sequence, 0)].count += count
                }
            }
            states = Dictionary(uniqueKeysWithValues: next.values.map { ($0.digits, $0.count) })
        }
        let sequences = states.values.reduce(0, +)
        print(
            "\(place): \(sequences) sequences of \(Self.depth) steps, in the end in",
            "\(states.count) states; \(checked) last steps checked")
        let expected = (0..<Self.depth).reduce(1) { product, _ in product * steps.count }
        #expect(sequences == expected)
    }

    /// One sequence from the start; what comes before its last step was checked before.
    private func run(
        _ oracle: BitmapOracle, _ regionCapacity: Int, _ steps: [Step]
    ) throws -> SpaceImage {
        var model = try SpaceModel(
            oracle: oracle, granule: oracle.granule, regionCapacity: regionCapacity,
            reservationCapacity: 32)
        try model.apply(.addUsable(IOVARange(oracle.span)))
        for step in steps { try model.apply(step(model)) }
        try model.check()
        return SpaceImage(model)
    }
}

private let noHandle = IOVAHandle(slot: 7, generation: 999)

private func pages(_ count: Int, _ model: borrowing SpaceModel<BitmapOracle>) -> UInt64 {
    UInt64(count) * model.granule
}

private func range(
    _ pages: ClosedRange<Int>, _ model: borrowing SpaceModel<BitmapOracle>
) -> IOVARange {
    IOVARange(model.oracle.bytes(pages))
}

private func allocate(
    _ count: Int, _ order: IOVASearchOrder = .lowest, aligned: UInt64 = 1, before: Int = 0,
    behind: Int = 0
) -> ExhaustiveTests.Step {
    { model in
        .allocate(
            byteCount: pages(count, model), alignment: aligned * model.granule, .anywhere(order),
            gaps: IOVAGuardGaps(before: pages(before, model), behind: pages(behind, model)))
    }
}

private func within(
    _ window: ClosedRange<Int>, _ count: Int, _ order: IOVASearchOrder
) -> ExhaustiveTests.Step {
    { .allocate(byteCount: pages(count, $0), .within(range(window, $0), order)) }
}

private func fixed(
    _ page: Int, over: Bool = false, behind: Int = 0
) -> ExhaustiveTests.Step {
    { model in
        .allocate(
            byteCount: pages(2, model),
            .fixed(IOVA(model.oracle.address(page)), overReservations: over),
            gaps: .behind(pages(behind, model)))
    }
}

private func freeAt(_ page: Int) -> ExhaustiveTests.Step {
    { .freeAt(IOVA($0.oracle.address(page))) }
}

private func reserve(
    _ pages: ClosedRange<Int>, _ policy: ReservationPolicy
) -> ExhaustiveTests.Step {
    { .reserve(range(pages, $0), policy) }
}

private func cancel(
    _ pages: ClosedRange<Int>, _ policy: ReservationPolicy
) -> ExhaustiveTests.Step {
    { .cancel(range(pages, $0), policy) }
}

private func add(_ pages: ClosedRange<Int>) -> ExhaustiveTests.Step {
    { .addUsable(range(pages, $0)) }
}

private func withdraw(_ pages: ClosedRange<Int>) -> ExhaustiveTests.Step {
    { .withdrawUsable(range(pages, $0)) }
}
