/// One thing that a vhost-vdpa device does, proved on the simulator and on the kernel alike.
package struct ConformanceCase: Sendable, CustomStringConvertible {
    package let name: String
    /// Where it holds. There is no skipping: a case runs on all of these and on no other.
    package let profiles: Set<Profile>
    /// What it runs on: real hugepages and two nodes are the kernel's alone.
    package let machines: Set<MachineKind>
    package let body: @Sendable (Context) throws -> Void

    package init(
        _ name: String, on profiles: Set<Profile> = .all,
        machines: Set<MachineKind> = [.kernel, .simulator],
        _ body: @escaping @Sendable (Context) throws -> Void
    ) {
        self.name = name
        self.profiles = profiles
        self.machines = machines
        self.body = body
    }

    package var description: String { name }

    /// Every case, in order. A file of cases adds its array here.
    package static let all =
        messages + ranges + batches + limits + lifeCycle + control + rings + addressSpaces
        + foreignProcess + adoption + adoptedDescriptors + domains + domainResets
        + domainBudgets + domainMemory + domainSharing + domainDevices + messageFailures
        + deviceNodes + hostMemory + realDMA

    package static func applicable(
        to profile: Profile, on machine: MachineKind
    ) -> [ConformanceCase] {
        all.filter { $0.profiles.contains(profile) && $0.machines.contains(machine) }
    }

    /// The memory module's own cases, in the one profile that needs no other device for them.
    static let hostMemory = HostMemoryGuestCases.all.map { name, body in
        ConformanceCase("host memory: " + name, on: [.sim], machines: [.kernel]) { _ in
            try body()
        }
    }
}

/// What stands behind the device file.
package enum MachineKind: Sendable {
    case kernel, simulator
}

/// An expectation that did not hold.
package struct ConformanceFailure: Error, CustomStringConvertible {
    package let description: String
}

func expectEqual<Value: Equatable>(
    _ actual: Value, _ expected: Value, _ what: String, file: StaticString = #fileID,
    line: UInt = #line
) throws {
    guard actual != expected else { return }
    throw ConformanceFailure(
        description: "\(what): \(actual), expected \(expected) (\(file):\(line))")
}
