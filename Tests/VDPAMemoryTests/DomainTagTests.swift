import Glibc
import Testing
import VDPAMemory
import VDPASimulator

extension RegionTag {
    fileprivate static let receive = RegionTag("receive ring")
    fileprivate static let control = RegionTag("control queue")
}

@Suite("Who owns a region")
struct DomainTagTests {
    @Test func `two tags of one text are one, and the text comes back`() {
        #expect(RegionTag("receive ring") == .receive && RegionTag.receive != .control)
        #expect(RegionTag.receive.text == "receive ring")
        #expect(RegionTag("") == .none && RegionTag.none.text.isEmpty)
        #expect("\(RegionTag.none)" == "untagged" && "\(RegionTag.control)" == "control queue")
        let literal: RegionTag = "receive ring"
        #expect(literal == .receive)
    }

    @Test func `a long text is cut between characters`() {
        let long = RegionTag(String(repeating: "é", count: 40))
        #expect(long.text == String(repeating: "é", count: 32))
        #expect(RegionTag("a" + String(repeating: "é", count: 40)).text.utf8.count == 63)
    }

    @Test func `texts beyond the table's capacity share one tag`() {
        var table = TagTable(capacity: 3)
        #expect(table.number(of: "") == 0 && table.number(of: "a") == 1)
        #expect(table.number(of: "b") == 2 && table.number(of: "c") == RegionTag.other.number)
        #expect(table.number(of: "a") == 1 && table.text(of: 2) == "b")
        #expect(table.text(of: .max) == "other tags")
    }

    @Test func `a tag is two bytes`() {
        #expect(MemoryLayout<RegionTag>.size == 2)
    }

    @Test(arguments: [false, true])
    func `usage is told by tag, the largest first`(isBatched: Bool) throws {
        let world = try DomainWorld()
        let memory = SharedMemory(pages: 4)
        let domain = world.domain
        if isBatched {
            try domain.batch { batch throws(DMAError) in
                _ = try batch.allocate(byteCount: 8192, options: .init(tag: .control))
                _ = try batch.allocate(byteCount: 4096)
                _ = try batch.allocate(byteCount: 4 << 20, options: .init(tag: .receive))
                _ = try unsafe batch.register(memory.bytes, tag: .receive)
            }
        } else {
            let kept = [
                try domain.allocate(byteCount: 8192, options: .init(tag: .control)).relinquish(),
                try domain.allocate(byteCount: 4096).relinquish(),
                try domain.allocate(byteCount: 4 << 20, options: .init(tag: .receive))
                    .relinquish(),
                try unsafe domain.register(memory.bytes, tag: .receive).relinquish(),
            ]
            #expect(try domain.info(kept[0]).tag == .control)
            #expect(try domain.info(kept[1]).tag == .none)
            #expect(try domain.info(kept[3]).tag == .receive)
        }
        let usage = domain.usageByTag
        #expect(usage.map(\.tag) == [.receive, .control, .none])
        #expect(usage.map(\.regions) == [2, 1, 1])
        #expect(usage.map(\.byteCount) == [4 << 20 | 4 << 12, 8192, 4096])
    }

    @Test func `the next region in a slot has not the last one's tag`() throws {
        let world = try DomainWorld()
        let keeper = try world.domain.allocate(byteCount: 4096)
        let tagged = try world.domain.allocate(byteCount: 4096, options: .init(tag: .receive))
        let old = tagged.range
        try tagged.free()
        let next = try world.domain.allocate(byteCount: 4096)
        #expect(next.range == old)
        #expect(try next.info.tag == .none && keeper.info.tag == .none)
        let memory = SharedMemory(pages: 1)
        let registered = try unsafe world.domain.register(memory.bytes, tag: .control)
        try registered.free()
        let again = try unsafe world.domain.register(memory.bytes)
        #expect(try again.info.tag == .none)
        #expect(world.domain.usageByTag.map(\.tag) == [.none])
    }

    @Test func `a region that is placed at the second attempt keeps its tag`() throws {
        var configuration = SimulatedDevice.Configuration.vpVDPA()
        configuration.lockedMemoryLimit = 6 << 20
        let world = try DomainWorld(
            configuration, .init(unmapping: .deferred(maximumBytes: 1 << 30)))
        try world.domain.allocate(byteCount: 4 << 20).free()
        let small = try world.domain.allocate(byteCount: 4096, options: .init(tag: .receive))
        #expect(world.domain.statistics.quarantinedExtents == 1, "there is room yet")
        let large = try world.domain.allocate(
            byteCount: 4 << 20, options: .init(tag: .control))
        #expect(world.domain.statistics.quarantinedExtents == 0, "room had to be made")
        #expect(try small.info.tag == .receive && large.info.tag == .control)
    }

    @Test func `a carved region that a shortage undid and placed anew keeps its tag`() throws {
        var configuration = SimulatedDevice.Configuration.vpVDPA()
        configuration.lockedMemoryLimit = 4 << 20
        let world = try DomainWorld(configuration)
        // 64 regions of 256 KiB would be one extent of 16 MiB; the smallest are tried at last.
        let ids = try world.domain.batch { batch throws(DMAError) in
            [
                try batch.allocate(byteCount: 1 << 20, options: .init(tag: .receive)),
                try batch.allocate(byteCount: 1 << 20, options: .init(tag: .control)),
                try batch.allocate(byteCount: 1 << 20, options: .init(tag: .receive)),
            ]
        }
        #expect(try ids.map { try world.domain.info($0).tag } == [.receive, .control, .receive])
    }
}

@Suite("What was still live at close")
struct DomainLeakTests {
    @Test func `close reports what was live, by tag, and tells the observer the same`() throws {
        let log = EventLog()
        let world = try DomainWorld(.vdpaSimNet(), .init(observer: { log.add($0) }))
        let kept = try world.domain.allocate(byteCount: 2 << 20, options: .init(tag: .receive))
        let ids = try world.allocate(3, byteCount: 4096, .init(tag: .control))
        try world.domain.free(ids[0])
        _ = log.take()
        let report = world.domain.close()
        #expect(report.regions == 3 && report.byteCount == 2 << 20 | 8192 && !report.isEmpty)
        #expect(report.leaks.map(\.tag) == [.receive, .control])
        #expect(
            "\(report)" == "still live: receive ring: 1 regions, 2097152 bytes; "
                + "control queue: 2 regions, 8192 bytes")
        #expect(log.take().prefix(2) == [.leaked(report.leaks[0]), .leaked(report.leaks[1])])
        #expect(world.domain.close().isEmpty, "a second close finds nothing")
        #expect(log.take() == [])
        #expect(world.domain.usageByTag.isEmpty)
        _ = kept.relinquish()
    }

    @Test func `a domain that ends its life without close tells its leaks`() throws {
        let log = EventLog()
        do {
            let device = try VDPADevice(SimulatedDevice(.vdpaSimNet()))
            let domain = try DMADomain(device, options: .init(observer: { log.add($0) }))
            let ids = try domain.batch { batch throws(DMAError) in
                [try batch.allocate(byteCount: 4096, options: .init(tag: .control))]
            }
            #expect(try domain.info(ids[0]).tag == .control)
            _ = log.take()
        }
        guard case .leaked(let usage)? = log.take().first else {
            Issue.record("no leak was told")
            return
        }
        #expect(usage.tag == .control && usage.regions == 1 && usage.byteCount == 4096)
    }

    @Test func `where everything was freed nothing is reported`() throws {
        let log = EventLog()
        let world = try DomainWorld(
            .vdpaSimNet(),
            .init(unmapping: .deferred(maximumBytes: 1 << 30), observer: { log.add($0) }))
        let region = try world.domain.allocate(byteCount: 2 << 20, options: .init(tag: .receive))
        try region.free()
        _ = log.take()
        let report = world.domain.close()
        #expect(report.isEmpty && "\(report)" == "nothing was live")
        #expect(log.take().count == 1, "unmapped, no leak")
    }
}
