/// The cases of the suite `allocator` by the names of their rows; `W1-2T`, `W3`, `W4` and `W5`
/// stand for several.
public enum AllocatorCase: String, Sendable, CaseIterable {
    case sparse = "W1"
    case tight = "W2"
    case sparseTree = "W1-tree"
    case tightTree = "W2-tree"
    case shared = "W1-2T"
    case fillDrain = "W3"
    case lookUp = "W4"
    case bestFit = "W5"
    case sparsePage = "W1-4k"
    case tightPage = "W2-4k"
    case sparseHuge = "W1-2m"
    case tightHuge = "W2-2m"
    case sparsePowers = "W1-pow2"
    case tightPowers = "W2-pow2"
    case sparseDrift = "W1-drift"
    case tightDrift = "W2-drift"

    /// What a run of every suite measures: the sizes of W1 and W2 alone, since a table of all
    /// takes minutes.
    public static let standard: [AllocatorCase] = [
        .sparse, .tight, .sparseTree, .tightTree, .shared, .fillDrain, .lookUp, .bestFit,
    ]

    /// The other size distributions.
    static let distributions: [AllocatorCase] = [
        .sparsePage, .tightPage, .sparseHuge, .tightHuge, .sparsePowers, .tightPowers,
        .sparseDrift, .tightDrift,
    ]

    var sizes: SizeDistribution {
        switch self {
        case .sparse, .tight, .sparseTree, .tightTree, .shared, .fillDrain, .lookUp, .bestFit:
            .mixed
        case .sparsePage, .tightPage: .page
        case .sparseHuge, .tightHuge: .huge
        case .sparsePowers, .tightPowers: .powers
        case .sparseDrift, .tightDrift: .drift
        }
    }

    var isTight: Bool { rawValue.hasPrefix("W2") }
}
