/// One thing that was looked at, and what to do about it.
public struct Finding: Hashable, Sendable, Codable {
    /// How it stands.
    public enum Status: String, Hashable, Sendable, Codable {
        /// As it should be, or only to be known.
        case ok
        /// Works, but not as well or as far as it could.
        case warning = "warn"
        /// Nothing works before it is put right.
        case failure = "fail"
    }

    /// What was looked at: `permissions`, `memlock` and so on. Stays the same between versions.
    public let topic: String
    /// How it stands.
    public let status: Status
    /// What was found, with its figures: one sentence.
    public let text: String
    /// What helps, with the command where there is one; nil where nothing need be done.
    public let remedy: String?

    static func ok(_ topic: Topic, _ text: String) -> Finding {
        Finding(topic: topic.rawValue, status: .ok, text: text, remedy: nil)
    }

    static func warning(_ topic: Topic, _ text: String, remedy: String) -> Finding {
        Finding(topic: topic.rawValue, status: .warning, text: text, remedy: remedy)
    }

    static func failure(_ topic: Topic, _ text: String, remedy: String) -> Finding {
        Finding(topic: topic.rawValue, status: .failure, text: text, remedy: remedy)
    }
}

/// What is looked at.
enum Topic: String, Hashable, Sendable {
    case kernel, module, device, permissions, holder, parent, iommu, windows, node, entries
    case memlock, hugepages, pages, open, features, range, groups
}

/// What a look at a machine and one of its devices has found.
public struct Diagnosis: Hashable, Sendable, Codable {
    /// The version of the JSON: members may come without a new one.
    public private(set) var version = 1
    /// The device file's path; nil where the machine has no device.
    public let device: String?
    /// In the order in which they should be put right.
    public let findings: [Finding]

    init(device: String?, findings: [Finding]) {
        self.device = device
        self.findings = findings
    }

    /// Whether nothing stands in the way; warnings do not.
    public var isReady: Bool { !findings.contains { $0.status == .failure } }
}
