internal import Foundation
public import VDPAMemory

extension DMASnapshot {
    /// The map as one HTML page that needs nothing else: zoomed by wheel, keys, buttons or address,
    /// with what is under the pointer spelled out, in light and dark.
    public func html() -> String {
        let drawing = MapDrawing(self)
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Domain map: \(Markup.text(drawing.title))</title>
            <style>
            \(Palette.css(root: ":root"))\(Palette.mapCSS)\(MapPage.css)
            </style>
            </head>
            <body>
            <h1>Domain map</h1>
            <p>\(Markup.text(drawing.title))</p>
            \(MapPage.addressSpaces(self))
            <div id="controls">
            <button id="in">zoom in</button> <button id="out">zoom out</button>
            <button id="all">whole range</button>
            <form id="go"><label>address or range
            <input id="address" size="34" placeholder="0x200000 or 0x200000-0x3fffff"></label>
            <button>show</button></form>
            </div>
            <svg id="map" viewBox="0 0 \(Int(MapDrawing.width)) \(Int(MapDrawing.height))" \
            preserveAspectRatio="none" tabindex="0" role="img" aria-label="map of the range">
            \(drawing.shapes)
            </svg>
            <div id="axis" aria-hidden="true"></div>
            <p id="detail" aria-live="polite">Point at the map. Wheel: zoom; drag: move; \
            arrow keys, + and - as well. Above: extents; below: their regions.</p>
            \(MapPage.legend(self, drawing.key))
            \(MapPage.extents(self))
            <script type="application/json" id="pieces">\(MapPage.pieces(drawing.layout))</script>
            <script>
            \(MapPage.script)
            </script>
            </body>
            </html>

            """
    }
}

/// The parts of the page around the map.
enum MapPage {
    static func addressSpaces(_ snapshot: DMASnapshot) -> String {
        let rows = snapshot.addressSpaces.map { space in
            let entries =
                space.entriesAtLeast == space.entriesAtMost
                ? "\(space.entriesAtMost)" : "\(space.entriesAtLeast) to \(space.entriesAtMost)"
            let cells = [
                space.device, "\(space.addressSpace)", space.numaNode.map { "\($0)" } ?? "none",
                entries + (space.entryLimit.map { " of \($0)" } ?? ""),
                space.pinsMemory ? Bytes.text(space.pinnedBytes) : "does not pin",
                space.needsRemap ? "needs remap()" : "as the domain has it",
            ]
            return row(cells)
        }
        let head = ["device", "address space", "node", "entries", "pinned", "table"]
        return table(head, rows)
    }

    static func legend(_ snapshot: DMASnapshot, _ key: TagKey) -> String {
        let items = snapshot.tags.map { usage in
            let colour = key.colour(usage.tag).map { "--tag\($0)" } ?? "--quiet"
            let name = usage.tag.isEmpty ? "without a tag" : usage.tag
            return swatch(
                colour,
                "\(name): \(counted(usage.regions, "region")), \(Bytes.text(usage.byteCount))")
        }
        let kinds = [
            swatch("--extent", "dedicated extent"), swatch("--shared", "shared extent"),
            swatch("--registered", "registered memory"), swatch("--waiting", "in quarantine"),
            swatch("--held", "reserved"), swatch("--free", "free"),
        ]
        return
            "<ul class=\"legend\">\(items.joined())</ul><ul class=\"legend\">\(kinds.joined())</ul>"
    }

    private static func swatch(_ colour: String, _ text: String) -> String {
        "<li><i style=\"background:var(\(colour))\"></i>\(Markup.text(text))</li>"
    }

    /// The extents as a table, for who reads rather than points.
    static func extents(_ snapshot: DMASnapshot) -> String {
        let rows = snapshot.extents.enumerated().map { index, extent in
            let nodes = extent.nodes.map { "node \($0.node): \($0.pages)" }
            return row([
                "\(index)", extent.first.description, extent.last.description,
                Bytes.text(span: extent.last.rawValue - extent.first.rawValue),
                extent.kind.rawValue + (extent.isQuarantined ? ", in quarantine" : ""),
                extent.access.rawValue, extent.pages?.name ?? "", nodes.joined(separator: ", "),
                "\(extent.regions)",
            ])
        }
        let head = [
            "extent", "first", "last", "size", "kind", "access", "pages", "pages by node",
            "regions",
        ]
        return
            "<details><summary>\(counted(rows.count, "extent"))</summary>\(table(head, rows))</details>"
    }

    private static func row(_ cells: [String]) -> String {
        "<tr>" + cells.map { "<td>\(Markup.text($0))</td>" }.joined() + "</tr>"
    }

    private static func table(_ head: [String], _ rows: [String]) -> String {
        let titles = head.map { "<th>\($0)</th>" }.joined()
        return "<div class=\"wide\"><table><tr>\(titles)</tr>\n\(rows.joined(separator: "\n"))"
            + "</table></div>"
    }

    /// Where each piece is drawn, so that the page can turn positions into addresses and back.
    static func pieces(_ layout: MapLayout) -> String {
        let list = layout.pieces.map { piece in
            "[\(MapDrawing.number(piece.start)),\(MapDrawing.number(piece.width)),"
                + "\"0x\(String(piece.first, radix: 16))\",\"0x\(String(piece.last, radix: 16))\"]"
        }
        return "[" + list.joined(separator: ",\n") + "]"
    }

    static let css = """
        body{margin:1.5rem;background:var(--page);color:var(--text);font:14px/1.45 system-ui,\
        sans-serif}
        h1{font-size:1.3rem;margin:0}
        .wide{overflow-x:auto}
        table{border-collapse:collapse;margin:.5rem 0}
        th,td{text-align:left;padding:.15rem .8rem .15rem 0;border-bottom:1px solid var(--line);\
        white-space:nowrap;font-variant-numeric:tabular-nums}
        th{color:var(--quiet);font-weight:600}
        #controls{display:flex;flex-wrap:wrap;gap:.4rem;align-items:center;margin:.8rem 0}
        #go{display:inline-flex;gap:.4rem;align-items:center}
        #map{display:block;width:100%;height:190px;border:1px solid var(--line);\
        touch-action:none;cursor:crosshair}
        #axis{position:relative;height:1.4rem;color:var(--quiet);font-size:12px;overflow:hidden;\
        font-variant-numeric:tabular-nums}
        #axis span{position:absolute;white-space:nowrap}
        #detail{min-height:2.9em;padding:.4rem .6rem;border-left:3px solid var(--line);\
        overflow-wrap:anywhere}
        .legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;padding:0;margin:.4rem 0}
        .legend i{display:inline-block;width:.9em;height:.9em;margin-right:.4em;\
        border:1px solid var(--line)}
        """
}
