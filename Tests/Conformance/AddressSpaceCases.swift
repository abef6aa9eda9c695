internal import CVhostVDPA

private let efault = Int(-EFAULT)

extension ConformanceCase {
    /// Address spaces and queue groups.
    static let addressSpaces: [ConformanceCase] = [
        ConformanceCase("an address space beyond the last is EFAULT") { context in
            let client = try context.open()
            let pages = try Pages(1)
            let spaces = try client.get(CVHOST_VDPA_GET_AS_NUM, as: UInt32.self)
            for asid in [spaces, spaces + 1, .max] {
                try expectEqual(
                    client.update(0x1000, 4096, pages[0], asid: asid), efault, "UPDATE \(asid)")
                try expectEqual(client.batchBegin(asid: asid), efault, "BATCH_BEGIN \(asid)")
            }
            try expectEqual(client.isFree(0x1000, pages[0]), true, "nothing is mapped")
        },
        ConformanceCase("without IOTLB_ASID any address space means 0") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.acknowledge(0x6), 0, "MSG_V2 and BATCH alone")
            try expectEqual(client.update(0x1000, 4096, pages[0], asid: 77), 72, "UPDATE")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "it landed in 0")
        },
        ConformanceCase("address spaces are apart", on: .vdpaSim) { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE in 0")
            try expectEqual(client.invalidate(0, 0, asid: 1), efault, "1 does not exist yet")
            try expectEqual(client.update(0x1000, 4096, pages[0], asid: 1), 72, "UPDATE in 1")
            try expectEqual(client.invalidate(0, 0, asid: 1), 72, "INVALIDATE in 1")
            try expectEqual(client.isFree(0x1000, pages[0]), false, "still mapped in 0")
            try expectEqual(client.isFree(0x1000, pages[0], asid: 1), true, "free in 1")
        },
        ConformanceCase("an empty address space goes on existing") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.update(0x1000, 4096, pages[0]), 72, "UPDATE")
            for _ in 0..<2 {
                try expectEqual(client.invalidate(0x1000, 4096), 72, "INVALIDATE")
            }
        },
        ConformanceCase("vdpa_sim's control queue has a group of its own", on: .vdpaSim) {
            context in
            let client = try context.open()
            for (queue, group) in [UInt32(0), 0, 1].enumerated() {
                let state = client.getRing(CVHOST_VDPA_GET_VRING_GROUP, UInt32(queue))
                try expectEqual(state.result, 0, "GET_VRING_GROUP")
                try expectEqual(state.number, group, "group of queue \(queue)")
            }
        },
        ConformanceCase("SET_GROUP_ASID checks queue, group and address space", on: .vdpaSim) {
            context in
            let client = try context.open()
            let request = CVHOST_VDPA_SET_GROUP_ASID
            try expectEqual(client.setRing(request, 3, 0), -ENOBUFS, "group 3 of 3 queues")
            try expectEqual(client.setRing(request, 2, 0), -EINVAL, "group 2 of 2")
            try expectEqual(client.setRing(request, 0, 2), -EINVAL, "address space 2 of 2")
            try expectEqual(client.setRing(request, 1, 1), 0, "group 1 to 1")
            try client.negotiate()
            try expectEqual(client.setStatus(0xf), 0, "DRIVER_OK")
            try expectEqual(client.setRing(request, 1, 0), 0, "when running")
        },
        ConformanceCase("parents without groups say EOPNOTSUPP", on: [.iommu, .vduse]) {
            context in
            let client = try context.open()
            try expectEqual(
                client.getRing(CVHOST_VDPA_GET_VRING_GROUP, 0).result, -EOPNOTSUPP, "GET")
            let request = CVHOST_VDPA_SET_GROUP_ASID
            try expectEqual(client.setRing(request, 0, 0), -EOPNOTSUPP, "SET")
            try expectEqual(client.setRing(request, 0, 1), -EINVAL, "address space 1 of 1")
        },
    ]
}
