import Foundation
import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

@Suite("A domain's snapshot")
struct DomainSnapshotTests {
    private static let schema =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path + "/Documentation/domain-snapshot.schema.json"

    /// One of everything: carved, dedicated, registered, read-only, in quarantine, reserved, in two
    /// address spaces, with a tag that JSON must escape.
    private func fullWorld(_ memory: SharedMemory) throws -> (DomainWorld, [RegionID]) {
        let world = try DomainWorld(
            .vdpaSimNet(),
            .init(
                unmapping: .deferred(maximumBytes: 1 << 30),
                reserved: [IOVARange(first: 0x10_0000, last: 0x1f_ffff)]))
        let domain = world.domain
        try domain.attach(world.device, addressSpace: 1)
        var ids = try world.allocate(3, byteCount: 4096, .init(tag: "a \"tag\"\\\n\u{1}é"))
        ids += try world.allocate(
            1, byteCount: 4 << 20, .init(access: .readOnly, tag: "blocks to write"))
        ids.append(try unsafe domain.register(memory.bytes, at: .fixed(IOVA(0))).relinquish())
        try domain.allocate(byteCount: 2 << 20).free()
        return (world, ids)
    }

    @Test func `it says what is there, range by range`() throws {
        let memory = SharedMemory(pages: 8)
        let (world, ids) = try fullWorld(memory)
        let snapshot = world.domain.snapshot()
        #expect(snapshot.version == 1 && snapshot.regions.count == ids.count)
        #expect(snapshot.addressSpaces.map(\.addressSpace) == [0, 1])
        #expect(snapshot.addressSpaces.allSatisfy { $0.device == world.device.name })
        #expect(snapshot.extents.map(\.kind).contains(.shared))
        let byAddress = Dictionary(
            uniqueKeysWithValues: snapshot.regions.map { ($0.first.rawValue, $0) })
        for id in ids {
            let info = try world.domain.info(id)
            let region = try #require(byAddress[info.range.first.rawValue])
            let extent = snapshot.extents[region.extent]
            #expect(region.last.rawValue == info.range.last.rawValue)
            #expect(region.tag == info.tag.text && !region.isOwned)
            #expect(extent.first.rawValue == info.extent.first.rawValue)
            #expect(extent.last.rawValue == info.extent.last.rawValue)
            #expect((extent.kind == .registered) == (info.pageSize == nil))
            #expect((extent.access == .readOnly) == (info.access == .readOnly))
            #expect(extent.nodes.map(\.pages) == info.placement?.pagesByNode.map(\.value) ?? [])
        }
        let waiting = snapshot.extents.filter(\.isQuarantined)
        #expect(waiting.count == 1 && waiting.allSatisfy { $0.regions == 0 })
        #expect(snapshot.tags.map(\.regions).reduce(0, +) == ids.count)
        #expect(snapshot.reservations.contains { $0.first.rawValue == 0x10_0000 && $0.isGuarded })
    }

    /// Extents, reservations and holes, checked against each other and against the statistics.
    @Test func `what it lists tiles the range, without a gap or an overlap`() throws {
        let memory = SharedMemory(pages: 8)
        let (world, _) = try fullWorld(memory)
        let snapshot = world.domain.snapshot()
        expectTiled(snapshot)
        let statistics = world.domain.statistics
        #expect(snapshot.regions.count == statistics.regions)
        #expect(snapshot.extents.count == statistics.extents + statistics.quarantinedExtents)
    }

    @Test func `it stays right through random batches`() throws {
        let seed = TestKnobs.seed(0x5eed_0007)
        print("snapshots through random batches: VDPA_SEED=\(seed)")
        var random = SeededGenerator(seed: seed)
        let world = try DomainWorld(
            .vdpaSimNet(), .init(unmapping: .deferred(maximumBytes: 6 << 20)))
        var ids: [RegionID] = []
        for _ in 0..<40 {
            let count = 1 + random.below(6)
            if random.chance(oneIn: 2) || ids.count < count {
                ids += try world.allocate(
                    count, byteCount: random.pick([4096, 8192, 300_000, 2 << 20]),
                    .init(tag: RegionTag("tag \(count)")))
            } else {
                ids.shuffle(using: &random)
                try world.free(Array(ids.prefix(count)))
                ids.removeFirst(count)
            }
            let snapshot = world.domain.snapshot()
            expectTiled(snapshot)
            #expect(snapshot.regions.count == ids.count)
            #expect(
                snapshot.tags.map { "\($0.tag) \($0.regions) \($0.byteCount)" }
                    == world.domain.usageByTag.map { "\($0.tag) \($0.regions) \($0.byteCount)" })
        }
    }

    @Test func `its JSON reads back as the same value, in Foundation's words too`() throws {
        let memory = SharedMemory(pages: 8)
        let (world, _) = try fullWorld(memory)
        let snapshot = world.domain.snapshot()
        let decoder = JSONDecoder()
        let text = snapshot.json()
        #expect(try decoder.decode(DMASnapshot.self, from: Data(text.utf8)) == snapshot)
        let other = try JSONEncoder().encode(snapshot)
        #expect(try decoder.decode(DMASnapshot.self, from: other) == snapshot)
    }

    @Test func `real snapshots keep to the schema`() throws {
        let checker = try SchemaChecker(path: Self.schema)
        let memory = SharedMemory(pages: 8)
        let (world, _) = try fullWorld(memory)
        #expect(try checker.violations(of: world.domain.snapshot().json()) == [])
        let other = try JSONEncoder().encode(world.domain.snapshot())
        #expect(try checker.violations(of: String(decoding: other, as: UTF8.self)) == [])
        world.domain.close()
        let closed = world.domain.snapshot()
        #expect(closed.regions.isEmpty && closed.extents.isEmpty)
        #expect(try checker.violations(of: closed.json()) == [])
        for configuration in DeviceKind.allCases.map(\.configuration) {
            let world = try DomainWorld(configuration)
            _ = try world.allocate(2, byteCount: 4096)
            #expect(try checker.violations(of: world.domain.snapshot().json()) == [])
        }
    }

    @Test(arguments: [
        ("\"version\": 1", "\"version\": 2"), ("\"kind\": \"shared\"", "\"kind\": \"odd\""),
        ("\"guardBytes\": ", "\"guardBytes\": -"), ("\"first\": \"0x", "\"first\": \"x"),
        ("\"isOwned\": ", "\"isOwnd\": "), ("\"isOwned\": false", "\"isOwned\": 0"),
        ("\"regions\": 3", "\"regions\": \"3\""), ("\"holes\": ", "\"hole\": "),
        ("\"entriesAtLeast\": ", "\"entriesAtLeast\": 0.5, \"pinnedBytes\": "),
    ])
    func `a snapshot that breaks the schema is refused`(old: String, new: String) throws {
        let checker = try SchemaChecker(path: Self.schema)
        let memory = SharedMemory(pages: 8)
        let (world, _) = try fullWorld(memory)
        let text = world.domain.snapshot().json()
        let broken = text.replacingOccurrences(of: old, with: new)
        #expect(broken != text, "nothing was broken")
        #expect(try !checker.violations(of: broken).isEmpty)
    }

    @Test func `a device that was reset shows that it needs a remap`() throws {
        let world = try DomainWorld()
        _ = try world.allocate(1, byteCount: 2 << 20)
        #expect(world.domain.snapshot().addressSpaces.map(\.needsRemap) == [false])
        try world.device.reset()
        #expect(world.domain.snapshot().addressSpaces.map(\.needsRemap) == [true])
        try world.domain.remap()
        #expect(world.domain.snapshot().addressSpaces.map(\.needsRemap) == [false])
    }
}

/// Holes, reservations and extents follow each other through the whole range, and regions lie
/// side by side inside their extents.
private func expectTiled(
    _ snapshot: DMASnapshot, sourceLocation: SourceLocation = #_sourceLocation
) {
    var spans = snapshot.holes.map { ($0.first.rawValue, $0.last.rawValue) }
    spans += snapshot.reservations.map { ($0.first.rawValue, $0.last.rawValue) }
    spans += snapshot.extents.map { ($0.first.rawValue, $0.last.rawValue + $0.guardBytes) }
    spans.sort { $0.0 < $1.0 }
    var next: UInt64? = snapshot.range.first.rawValue
    for span in spans {
        #expect(next == span.0, sourceLocation: sourceLocation)
        next = span.1 == .max ? nil : span.1 + 1
    }
    let last = snapshot.range.last.rawValue
    #expect(next == (last == .max ? nil : last + 1), sourceLocation: sourceLocation)
    var counts = [Int](repeating: 0, count: snapshot.extents.count)
    var end: DMASnapshot.Address?
    for region in snapshot.regions {
        let extent = snapshot.extents[region.extent]
        counts[region.extent] += 1
        #expect(
            extent.first <= region.first && region.last <= extent.last
                && (end.map { $0 < region.first } ?? true), sourceLocation: sourceLocation)
        end = region.last
    }
    #expect(counts == snapshot.extents.map(\.regions), sourceLocation: sourceLocation)
}
