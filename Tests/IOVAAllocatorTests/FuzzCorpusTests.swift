internal import Foundation
import Testing

/// The inputs that libFuzzer found worth keeping, replayed on every test run.
///
/// `Scripts/fuzz` runs the fuzzer, `Scripts/fuzz replay FILE` one input.
@Suite struct FuzzCorpusTests {
    private static var folder: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fuzz/Corpus")
    }

    @Test("every input of the fuzzer's corpus agrees with its oracle, and all outcomes are met")
    func corpus() throws {
        let files = try FileManager.default.contentsOfDirectory(
            at: Self.folder, includingPropertiesForKeys: nil
        ).sorted { $0.path < $1.path }
        var outcomes: [String: Int] = [:]
        var stepCount = 0
        for file in files {
            do {
                let run = try FuzzProgram.run([UInt8](Data(contentsOf: file)))
                outcomes.merge(run.outcomes, uniquingKeysWith: +)
                stepCount += run.stepCount
            } catch {
                Issue.record("Scripts/fuzz replay \(file.path): \(error)")
            }
        }
        print("\(files.count) inputs of the corpus replayed, \(stepCount) steps")
        // A corpus that has lost its files, or spells nothing any more, proves nothing.
        #expect(files.count >= 100)
        for outcome in HostileFuzz.expectedOutcomes {
            #expect(outcomes[outcome, default: 0] > 0, "the corpus never meets: \(outcome)")
        }
    }
}
