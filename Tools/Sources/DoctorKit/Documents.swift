internal import Foundation
public import VDPADiagnosis
public import VDPAMemory

/// JSON in and out.
public enum Documents {
    /// All diagnoses of a run, and whether each is ready.
    public static func json(_ diagnoses: [Diagnosis]) throws -> String {
        try encode(diagnoses.map { DiagnosisDocument(isReady: $0.isReady, diagnosis: $0) })
    }

    public static func json(_ plan: Plan) throws -> String {
        try encode(PlanDocument(isReady: plan.isReady, plan: plan))
    }

    private static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }

    /// Reads a snapshot: what `DMASnapshot.json()` wrote.
    ///
    /// - Parameter path: a file, or `-` for standard input.
    public static func snapshot(path: String) throws(DoctorError) -> DMASnapshot {
        let data: Data
        do {
            data =
                path == "-"
                ? FileHandle.standardInput.readDataToEndOfFile()
                : try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw DoctorError("\(path) cannot be read: \(error.localizedDescription)")
        }
        return try snapshot(json: String(decoding: data, as: UTF8.self))
    }

    public static func snapshot(json: String) throws(DoctorError) -> DMASnapshot {
        do {
            let decoder = JSONDecoder()
            let data = Data(json.utf8)
            let version = try decoder.decode(VersionOnly.self, from: data).version
            guard version == DMASnapshot.currentVersion else {
                throw DoctorError(
                    "the snapshot is of version \(version), this reads "
                        + "\(DMASnapshot.currentVersion)")
            }
            let snapshot = try decoder.decode(DMASnapshot.self, from: data)
            try snapshot.requireSense()
            return snapshot
        } catch let error as DoctorError {
            throw error
        } catch {
            throw DoctorError("that is no domain's snapshot: \(error)")
        }
    }

    public static func write(_ text: String, to path: String) throws(DoctorError) {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        } catch {
            throw DoctorError("\(path) cannot be written: \(error.localizedDescription)")
        }
    }
}

/// What the user is told before the command ends.
public struct DoctorError: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

private struct VersionOnly: Decodable { let version: Int }

private struct DiagnosisDocument: Encodable {
    let isReady: Bool
    let diagnosis: Diagnosis

    func encode(to encoder: any Encoder) throws {
        try diagnosis.encode(to: encoder)
        var more = encoder.container(keyedBy: ReadyKey.self)
        try more.encode(isReady, forKey: .isReady)
    }
}

private struct PlanDocument: Encodable {
    let isReady: Bool
    let plan: Plan

    func encode(to encoder: any Encoder) throws {
        try plan.encode(to: encoder)
        var more = encoder.container(keyedBy: ReadyKey.self)
        try more.encode(isReady, forKey: .isReady)
    }
}

private enum ReadyKey: String, CodingKey { case isReady }

extension DMASnapshot {
    /// What drawing relies on: a file may have been changed by hand.
    func requireSense() throws(DoctorError) {
        let spans =
            [(range.first, range.last)] + holes.map { ($0.first, $0.last) }
            + reservations.map { ($0.first, $0.last) } + extents.map { ($0.first, $0.last) }
            + regions.map { ($0.first, $0.last) }
        for (first, last) in spans where first > last {
            throw DoctorError("the snapshot has a range [\(first), \(last)]")
        }
        for region in regions {
            guard extents.indices.contains(region.extent),
                extents[region.extent].first <= region.first,
                region.last <= extents[region.extent].last
            else {
                throw DoctorError("the region at \(region.first) does not lie in its extent")
            }
        }
    }
}
