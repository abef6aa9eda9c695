import DoctorKit
import Foundation
import Testing
import VDPADiagnosis

@Suite("What is printed")
struct TextTests {
    private let plain = Terminal(hasColours: false, width: 80)

    private func decode<Value: Decodable>(_ json: String) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(json.utf8))
    }

    private func diagnosis() throws -> Diagnosis {
        try decode(
            """
            {"version": 1, "device": "/dev/vhost-vdpa-0", "findings": [
            {"topic": "kernel", "status": "ok", "text": "Linux 6.12"},
            {"topic": "memlock", "status": "warn", "text": "Little.", "remedy": "ulimit -l 1"},
            {"topic": "holder", "status": "fail", "text": "Open.", "remedy": "End it."}]}
            """)
    }

    @Test func `a line for each finding, its remedy below, and the verdict`() throws {
        #expect(
            try diagnosis().text(plain) == """
                /dev/vhost-vdpa-0
                ok    kernel   Linux 6.12
                warn  memlock  Little.
                      -> ulimit -l 1
                FAIL  holder   Open.
                      -> End it.
                not ready: 1 failure, 1 warning

                """)
    }

    @Test func `colours come only where they are wanted, and change no word`() throws {
        let coloured = try diagnosis().text(Terminal(hasColours: true, width: 80))
        #expect(coloured.contains("\u{1b}[31mFAIL\u{1b}[0m"))
        let stripped = coloured.replacingOccurrences(
            of: "\u{1b}\\[[0-9]+m", with: "", options: .regularExpression)
        #expect(try stripped == diagnosis().text(plain))
    }

    @Test func `a plan's commands stand on lines of their own`() throws {
        let plan: Plan = try decode(
            """
            {"version": 1, "request": {"memory": 68719476736, "page": 1073741824, "devices": 2,
            "addressSpaces": 1, "nodes": []}, "steps": [
            {"topic": "entries", "status": "ok", "text": "64 of 2048", "commands": []},
            {"topic": "memlock", "status": "warn", "text": "128 GiB", "commands": ["a", "b"]}]}
            """)
        #expect(
            plan.text(plain) == """
                64 GiB in pages of 1 GiB for 2 devices
                ok    entries  64 of 2048
                warn  memlock  128 GiB
                        a
                        b
                to be configured: what is not ok above

                """)
        let document = try JSONSerialization.jsonObject(with: Data(Documents.json(plan).utf8))
        let object = try #require(document as? [String: Any])
        #expect(object["isReady"] as? Bool == false && object["version"] as? Int == 1)
    }

    @Test func `the JSON of a diagnosis says whether it is ready`() throws {
        let json = try Documents.json([diagnosis()])
        let list = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]]
        let object = try #require(list?.first)
        #expect(
            object["isReady"] as? Bool == false
                && object["device"] as? String == "/dev/vhost-vdpa-0")
        #expect((object["findings"] as? [Any])?.count == 3)
        let back: [Diagnosis] = try decode(json)
        #expect(try back == [diagnosis()])
    }
}
