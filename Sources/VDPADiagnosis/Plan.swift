/// What a layout of memory and devices asks of the machine.
public struct PlanRequest: Hashable, Sendable, Codable {
    /// What every device is to reach, in bytes.
    public var memory: ByteCount
    /// The size of its pages: 4 KiB, 2 MiB or 1 GiB, in bytes.
    public var page: ByteCount
    /// How many devices have all of it mapped.
    public var devices: Int
    /// How many address spaces of each device have all of it mapped.
    public var addressSpaces: Int
    /// The NUMA nodes that the memory lies on, evenly; empty for those of the devices that there
    /// are, or the first that has memory.
    public var nodes: [Int]

    /// - Precondition: devices and address spaces are at least 1 and at most 65 536.
    public init(
        memory: ByteCount, page: ByteCount, devices: Int = 1, addressSpaces: Int = 1,
        nodes: [Int] = []
    ) {
        precondition((1...65_536).contains(devices) && (1...65_536).contains(addressSpaces))
        self.memory = memory
        self.page = page
        self.devices = devices
        self.addressSpaces = addressSpaces
        self.nodes = nodes
    }

    /// Whole pages; 0 for no memory.
    var pageCount: UInt64 {
        memory.rawValue / page.rawValue + (memory.rawValue % page.rawValue == 0 ? 0 : 1)
    }
}

/// One thing that has to be so, and how to make it so.
public struct PlanStep: Hashable, Sendable, Codable {
    /// What is configured: `hugepages`, `memlock`, `entries`, `devices`.
    public let topic: String
    /// `ok` where it is so already.
    public let status: Finding.Status
    /// What is needed, and what there is.
    public let text: String
    /// What to run or to write, in order; empty where nothing need be done.
    public let commands: [String]

    package init(
        _ topic: String, _ status: Finding.Status, _ text: String, _ commands: [String] = []
    ) {
        self.topic = topic
        self.status = status
        self.text = text
        self.commands = commands
    }
}

/// What must be configured for a layout, as the machine is now.
public struct Plan: Hashable, Sendable, Codable {
    /// The version of the JSON: members may come without a new one.
    public private(set) var version = 1
    /// What was asked for.
    public let request: PlanRequest
    /// What it takes, step by step.
    public let steps: [PlanStep]

    init(request: PlanRequest, steps: [PlanStep]) {
        self.request = request
        self.steps = steps
    }

    /// Whether nothing has to be changed.
    public var isReady: Bool { steps.allSatisfy { $0.status == .ok } }
}
