import DoctorKit
import Foundation
import Testing
import VDPAMemory
import VDPASimulator

/// A domain with one of everything, and more tags than colours.
func fullSnapshot() throws -> DMASnapshot {
    let device = try VDPADevice.simulated()
    let domain = try DMADomain(
        device,
        options: .init(
            unmapping: .deferred(maximumBytes: 1 << 30),
            reserved: [IOVARange(first: 0x4000_0000, last: 0x4fff_ffff)]))
    _ = try domain.batch { batch throws(DMAError) in
        for number in 0..<40 {
            _ = try batch.allocate(
                byteCount: 4096 * (1 + number % 3),
                options: .init(tag: RegionTag("queue \(number % 12)")))
        }
        _ = try batch.allocate(byteCount: 4 << 20, options: .init(tag: "<b>&\"blocks\"\u{1}"))
        _ = try batch.allocate(byteCount: 2 << 20, options: .init(access: .readOnly))
        _ = try batch.allocate(
            byteCount: 1 << 20, options: .init(placement: .fixed(IOVA(0x1_0000_0000))))
    }
    try domain.allocate(byteCount: 6 << 20).free()
    return domain.snapshot()
}

@Suite("The map of a domain")
struct MapTests {
    /// Every region, extent, reservation and hole, by its addresses.
    private func expectComplete(_ drawing: String, _ snapshot: DMASnapshot) {
        func range(_ first: DMASnapshot.Address, _ last: DMASnapshot.Address) -> String {
            "[\(first), \(last)]"
        }
        for region in snapshot.regions {
            #expect(drawing.contains("<title>region \(range(region.first, region.last)), "))
        }
        for (index, extent) in snapshot.extents.enumerated() {
            #expect(drawing.contains("<title>extent \(index) \(range(extent.first, extent.last)),"))
        }
        for hole in snapshot.holes {
            #expect(drawing.contains("<title>hole \(range(hole.first, hole.last)), "))
        }
        for reservation in snapshot.reservations {
            #expect(drawing.contains(" \(range(reservation.first, reservation.last)), "))
        }
        let count = drawing.components(separatedBy: "<rect class=\"region ").count - 1
        #expect(count == snapshot.regions.count)
    }

    @Test func `the SVG holds everything, and is well-formed`() throws {
        let snapshot = try fullSnapshot()
        let svg = snapshot.svg()
        expectComplete(svg, snapshot)
        #expect(try Elements.parse(svg)["rect"] ?? 0 > snapshot.regions.count)
        #expect(svg.contains("&lt;b&gt;&amp;&quot;blocks&quot;\u{fffd}"), "the tag is escaped")
        #expect(svg.contains("prefers-color-scheme:dark"))
        #expect(!svg.contains("href"), "nothing is fetched")
    }

    @Test func `shapes lie side by side inside the drawing`() throws {
        let snapshot = try fullSnapshot()
        let shapes = try Elements.rectangles(snapshot.svg())
        let tops = shapes.filter {
            $0.style.hasPrefix("hole") || $0.style.hasPrefix("extent") || $0.style == "reserved"
        }
        #expect(tops.count > snapshot.extents.count)
        var end = 0.0
        for shape in tops {
            #expect(abs(shape.start - end) < 0.001)
            end = shape.start + shape.width
        }
        #expect(abs(end - 100_000) < 0.01)
        let regions = shapes.filter { $0.style.hasPrefix("region") }
        #expect(regions.allSatisfy { $0.width > 0 })
        for (left, right) in zip(regions, regions.dropFirst()) {
            #expect(left.start + left.width <= right.start + 0.001)
        }
    }

    @Test func `the page holds everything, zooms, and fetches nothing`() throws {
        let snapshot = try fullSnapshot()
        let page = snapshot.html()
        expectComplete(page, snapshot)
        for usage in snapshot.tags where usage.tag.hasPrefix("queue") {
            #expect(page.contains("\(usage.tag): \(usage.regions) region"))
        }
        for space in snapshot.addressSpaces { #expect(page.contains("<td>\(space.device)</td>")) }
        #expect(!page.contains("<b>"), "a tag is text, never markup")
        #expect(!page.contains("http") || page.components(separatedBy: "http").count == 1)
        let pieces = snapshot.holes.count + snapshot.extents.count + snapshot.reservations.count
        let data = try #require(page.components(separatedBy: "id=\"pieces\">").last)
        let json = try #require(data.components(separatedBy: "</script>").first)
        let list = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[Any]]
        #expect(list?.count == pieces)
    }

    @Test(arguments: [40, 100, 200])
    func `in the terminal each extent has a bar that fits`(width: Int) throws {
        let snapshot = try fullSnapshot()
        let text = snapshot.text(Terminal(hasColours: false, width: width))
        let lines = text.split(separator: "\n")
        for extent in snapshot.extents {
            let start = try #require(lines.firstIndex { $0.hasPrefix("\(extent.first) ") })
            let bar = lines[start + 1]
            #expect(bar.hasPrefix("  ") && bar.count <= width)
            #expect(bar.contains("~") == extent.isQuarantined)
        }
        for usage in snapshot.tags {
            let name = usage.tag.isEmpty ? "without a tag" : usage.tag
            #expect(text.contains(" \(name): \(usage.regions) region"))
        }
        #expect(!text.contains("\u{1b}"), "no colours were asked for")
        #expect(snapshot.text(Terminal(hasColours: true, width: width)).contains("\u{1b}[3"))
    }

    @Test func `a bar shows every region where there are columns enough`() throws {
        let device = try VDPADevice.simulated()
        let domain = try DMADomain(device)
        let ids = try domain.batch { batch throws(DMAError) in
            [
                try batch.allocate(byteCount: 4096, options: .init(tag: "one")),
                try batch.allocate(byteCount: 8192, options: .init(tag: "two")),
                try batch.allocate(byteCount: 4096),
            ]
        }
        try domain.free(ids[0])
        let text = domain.snapshot().text(Terminal(hasColours: false, width: 514))
        let bar = try #require(
            text.split(separator: "\n").first { $0.hasPrefix("  ") && $0.contains("A") })
        #expect(bar.filter { $0 == "A" }.count == 2 && bar.filter { $0 == "#" }.count == 1)
        #expect(bar.filter { $0 == "." }.count == 512 - 3)
    }

    @Test func `an empty domain is drawn too`() throws {
        let domain = try DMADomain(try VDPADevice.simulated())
        let snapshot = domain.snapshot()
        expectComplete(snapshot.html(), snapshot)
        #expect(snapshot.text(Terminal(hasColours: false, width: 80)).contains("0 regions in 0"))
    }
}

@Suite("Reading a snapshot")
struct SnapshotReadingTests {
    @Test func `what a domain wrote is read back`() throws {
        let snapshot = try fullSnapshot()
        #expect(try Documents.snapshot(json: snapshot.json()) == snapshot)
    }

    @Test(arguments: [
        ("\"version\": 1", "\"version\": 2", "version 2"),
        ("\"extent\": 0", "\"extent\": 99", "extent"),
        ("{\"version", "{\"versio", "no domain's snapshot"),
        ("\"first\": \"0x", "\"first\": \"0xf0000", "a range"),
    ])
    func `what makes no sense is refused with a reason`(
        old: String, new: String, reason: String
    ) throws {
        let text = try fullSnapshot().json().replacingOccurrences(of: old, with: new)
        do {
            _ = try Documents.snapshot(json: text)
            Issue.record("it was read")
        } catch {
            #expect(error.description.contains(reason), "\(error)")
        }
    }

    @Test func `a folder that is not there is an error with the file's name`() {
        #expect {
            try Documents.write("map", to: "/nonexistent/map.html")
        } throws: {
            "\($0)".contains("/nonexistent/map.html cannot be written")
        }
    }

    @Test func `a file that is not there is an error with its name`() {
        #expect {
            _ = try Documents.snapshot(path: "/nonexistent/snapshot.json")
        } throws: {
            "\($0)".contains("/nonexistent/snapshot.json cannot be read")
        }
    }
}
