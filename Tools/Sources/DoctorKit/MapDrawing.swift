internal import Foundation
public import VDPAMemory

extension DMASnapshot {
    /// The map as an SVG file that needs nothing else: light and dark by the viewer's preference,
    /// what is under the pointer as a tool tip.
    public func svg() -> String {
        let drawing = MapDrawing(self)
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" \
            viewBox="0 0 \(Int(MapDrawing.width)) \(Int(MapDrawing.height))" \
            width="1600" height="\(Int(MapDrawing.height))" preserveAspectRatio="none" role="img">
            <title>\(Markup.text(drawing.title))</title>
            <style>\(Palette.css(root: "svg"))\(Palette.mapCSS)</style>
            <rect width="100%" height="100%" fill="var(--page)"/>
            \(drawing.shapes)
            </svg>

            """
    }
}

/// The shapes of a map: extents above, their regions below, side by side in the order of addresses.
struct MapDrawing {
    static let width = 100_000.0
    static let height = 150.0

    let snapshot: DMASnapshot
    let layout: MapLayout
    let key: TagKey

    init(_ snapshot: DMASnapshot) {
        self.snapshot = snapshot
        layout = MapLayout(snapshot, width: MapDrawing.width)
        key = TagKey(snapshot)
    }

    var title: String {
        "\(counted(snapshot.regions.count, "region")) in "
            + "\(counted(snapshot.extents.count, "extent")), "
            + "[\(snapshot.range.first), \(snapshot.range.last)]"
    }

    /// A rectangle for each hole, reservation, extent and region, each with its description.
    var shapes: String {
        var parts: [String] = []
        for piece in layout.pieces {
            let size = Bytes.text(span: piece.span)
            let range = MapDrawing.range(piece.first, piece.last)
            switch piece.content {
            case .hole:
                parts.append(rectangle(piece, 10, 130, "hole", "hole \(range), \(size)"))
            case .reservation(let reservation):
                let what = reservation.isGuarded ? "reserved" : "never chosen"
                parts.append(
                    rectangle(piece, 10, 130, "reserved", "\(what) \(range), \(size)"))
            case .extent(let index, let extent, let regions):
                let name = "extent \(index) \(range), \(size), \(extent.summary)"
                let state = extent.isQuarantined ? "quarantined" : extent.kind.rawValue
                parts.append(rectangle(piece, 10, 42, "extent \(state)", name))
                parts.append(rectangle(piece, 58, 82, "lane", name))
                parts += regions.map { rectangle($0, in: piece) }
            }
        }
        return parts.joined(separator: "\n")
    }

    private func rectangle(_ region: DMASnapshot.Region, in piece: MapLayout.Piece) -> String {
        let start = piece.position(region.first.rawValue)
        let end =
            region.last.rawValue == piece.last
            ? piece.start + piece.width : piece.position(region.last.rawValue + 1)
        let range = MapDrawing.range(region.first.rawValue, region.last.rawValue)
        let size = Bytes.text(span: region.last.rawValue - region.first.rawValue)
        let tag = region.tag.isEmpty ? "without a tag" : region.tag
        let owner = region.isOwned ? "owned" : "held by ID"
        let style = key.colour(region.tag).map { "tag\($0)" } ?? "untagged"
        return MapDrawing.rectangle(
            start, end - start, 58, 82, "region \(style)",
            "region \(range), \(size), \(tag), \(owner), in extent \(region.extent)")
    }

    private func rectangle(
        _ piece: MapLayout.Piece, _ top: Int, _ height: Int, _ style: String, _ name: String
    ) -> String {
        MapDrawing.rectangle(piece.start, piece.width, top, height, style, name)
    }

    private static func rectangle(
        _ start: Double, _ width: Double, _ top: Int, _ height: Int, _ style: String,
        _ name: String
    ) -> String {
        "<rect class=\"\(style)\" x=\"\(number(start))\" width=\"\(number(width))\" y=\"\(top)\" "
            + "height=\"\(height)\"><title>\(Markup.text(name))</title></rect>"
    }

    static func range(_ first: UInt64, _ last: UInt64) -> String {
        "[0x\(String(first, radix: 16)), 0x\(String(last, radix: 16))]"
    }

    static func number(_ value: Double) -> String {
        String(format: "%.6f", locale: Locale(identifier: "en_US_POSIX"), value)
    }
}

/// Text for SVG and HTML.
enum Markup {
    /// A tag may hold anything, marks of markup and control characters too.
    static func text(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            // XML 1.0 has no way to write these.
            case "\u{0}"..<"\u{20}", "\u{7f}", "\u{fffe}", "\u{ffff}": result += "\u{fffd}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
