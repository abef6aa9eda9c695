extension DMASnapshot {
    /// The snapshot as JSON: `Documentation/domain-snapshot.schema.json` describes it.
    ///
    /// One extent, region, reservation or hole a line. Addresses are strings such as `"0x1f000"`,
    /// byte counts are numbers; what is not known is left out.
    ///
    /// - Complexity: O(n) in the text.
    public func json() -> String {
        var writer = JSONWriter()
        writer.object { json in
            json.member("version", version)
            json.name("range")
            json.span(range)
            json.name("addressSpaces")
            json.array(addressSpaces) { $0.addressSpace($1) }
            json.name("extents")
            json.array(extents) { $0.extent($1) }
            json.name("regions")
            json.array(regions) { $0.region($1) }
            json.name("reservations")
            json.array(reservations) { json, reservation in
                json.object { json in
                    json.bounds(reservation.first, reservation.last)
                    json.member("isGuarded", reservation.isGuarded)
                }
            }
            json.name("holes")
            json.array(holes) { $0.span($1) }
            json.name("tags")
            json.array(tags) { json, usage in
                json.object { json in
                    json.member("tag", usage.tag)
                    json.member("regions", usage.regions)
                    json.member("byteCount", usage.byteCount)
                }
            }
        }
        return writer.text + "\n"
    }
}

extension JSONWriter {
    fileprivate mutating func bounds(_ first: DMASnapshot.Address, _ last: DMASnapshot.Address) {
        member("first", first.description)
        member("last", last.description)
    }

    fileprivate mutating func span(_ span: DMASnapshot.Span) {
        object { $0.bounds(span.first, span.last) }
    }

    fileprivate mutating func addressSpace(_ space: DMASnapshot.AddressSpace) {
        object { json in
            json.member("device", space.device)
            json.member("addressSpace", space.addressSpace)
            json.name("deviceRange")
            json.span(space.deviceRange)
            json.member("numaNode", space.numaNode)
            json.member("pinsMemory", space.pinsMemory)
            json.member("pinnedBytes", space.pinnedBytes)
            json.member("entriesAtLeast", space.entriesAtLeast)
            json.member("entriesAtMost", space.entriesAtMost)
            json.member("entryLimit", space.entryLimit)
            json.member("needsRemap", space.needsRemap)
        }
    }

    fileprivate mutating func extent(_ extent: DMASnapshot.Extent) {
        object { json in
            json.bounds(extent.first, extent.last)
            json.member("guardBytes", extent.guardBytes)
            json.member("kind", extent.kind.rawValue)
            json.member("access", extent.access.rawValue)
            json.member("quarantinedNanoseconds", extent.quarantinedNanoseconds)
            if let pages = extent.pages { json.member("pages", pages.rawValue) }
            json.name("nodes")
            json.array(extent.nodes) { json, node in
                json.object { json in
                    json.member("node", node.node)
                    json.member("pages", node.pages)
                }
            }
            json.member("regions", extent.regions)
        }
    }

    fileprivate mutating func region(_ region: DMASnapshot.Region) {
        object { json in
            json.bounds(region.first, region.last)
            json.member("extent", region.extent)
            json.member("tag", region.tag)
            json.member("isOwned", region.isOwned)
        }
    }
}
