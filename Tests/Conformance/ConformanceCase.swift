/// One thing that a vhost-vdpa device does, proved on the simulator and on the kernel alike.
package struct ConformanceCase: Sendable, CustomStringConvertible {
    package let name: String
    /// Where it holds. There is no skipping: a case runs on all of these and on no other.
    package let profiles: Set<Profile>
    package let body: @Sendable (Context) throws -> Void

    package init(
        _ name: String, on profiles: Set<Profile> = .all,
        _ body: @escaping @Sendable (Context) throws -> Void
    ) {
        self.name = name
        self.profiles = profiles
        self.body = body
    }

    package var description: String { name }

    /// Every case, in order. A file of cases adds its array here.
    package static let all =
        messages + ranges + batches + limits + lifeCycle + control + rings + addressSpaces
        + foreignProcess

    package static func applicable(to profile: Profile) -> [ConformanceCase] {
        all.filter { $0.profiles.contains(profile) }
    }
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
