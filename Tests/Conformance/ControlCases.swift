internal import CVhostVDPA

extension ConformanceCase {
    /// Features, status, configuration space: what needs no owner.
    static let control: [ConformanceCase] = [
        ConformanceCase("backend features are those of 6.1") { context in
            let client = try context.openUnowned()
            let offered = try client.get(CVHOST_GET_BACKEND_FEATURES, as: UInt64.self)
            let isSim = Set.vdpaSim.contains(context.profile)
            try expectEqual(offered, isSim ? 0x1e : 0x0e, "GET_BACKEND_FEATURES")
            try expectEqual(client.acknowledge(offered), 0, "all of them")
            try expectEqual(client.acknowledge(0), 0, "none")
            for bit in [UInt64(0), 5, 6, 7, 8, 63] {
                try expectEqual(client.acknowledge(1 << bit), -EOPNOTSUPP, "bit \(bit)")
            }
            if !isSim { try expectEqual(client.acknowledge(1 << 4), -EOPNOTSUPP, "SUSPEND") }
        },
        ConformanceCase("the IOVA range can be read before SET_OWNER") { context in
            let client = try context.openUnowned()
            var range = vhost_vdpa_iova_range(first: 1, last: 1)
            try expectEqual(client.call(CVHOST_VDPA_GET_IOVA_RANGE, &range), 0, "GET_IOVA_RANGE")
            try expectEqual(range.first, 0, "first")
            try expectEqual(range.last, context.profile == .iommu ? 1 << 48 - 1 : .max, "last")
        },
        ConformanceCase("the counts are those of the device") { context in
            let client = try context.openUnowned()
            let isSim = Set.vdpaSim.contains(context.profile)
            let groups = try client.get(CVHOST_VDPA_GET_GROUP_NUM, as: UInt32.self)
            let spaces = try client.get(CVHOST_VDPA_GET_AS_NUM, as: UInt32.self)
            let queues = try client.get(CVHOST_VDPA_GET_VQS_COUNT, as: UInt32.self)
            try expectEqual(groups, isSim ? 2 : 1, "GET_GROUP_NUM")
            try expectEqual(spaces, isSim ? 2 : 1, "GET_AS_NUM")
            try expectEqual(
                queues, isSim ? 3 : context.profile == .iommu ? 2 : 1, "GET_VQS_COUNT")
            let identity = try client.get(CVHOST_VDPA_GET_DEVICE_ID, as: UInt32.self)
            try expectEqual(identity, isSim ? 1 : 2, "GET_DEVICE_ID")
            let size = try client.get(CVHOST_VDPA_GET_VRING_NUM, as: UInt16.self)
            try expectEqual(size, 256, "GET_VRING_NUM")
        },
        ConformanceCase("a request without its structure is EFAULT") { context in
            let client = try context.openUnowned()
            let requests = [
                CVHOST_GET_FEATURES, CVHOST_SET_FEATURES, CVHOST_GET_BACKEND_FEATURES,
                CVHOST_SET_BACKEND_FEATURES, CVHOST_VDPA_GET_DEVICE_ID, CVHOST_VDPA_GET_STATUS,
                CVHOST_VDPA_SET_STATUS, CVHOST_VDPA_GET_CONFIG, CVHOST_VDPA_SET_CONFIG,
                CVHOST_VDPA_GET_VRING_NUM, CVHOST_VDPA_SET_CONFIG_CALL, CVHOST_VDPA_GET_IOVA_RANGE,
                CVHOST_VDPA_GET_CONFIG_SIZE, CVHOST_VDPA_GET_AS_NUM, CVHOST_VDPA_GET_GROUP_NUM,
                CVHOST_VDPA_GET_VQS_COUNT,
            ]
            for request in requests {
                let name = "request 0x" + String(request, radix: 16)
                try expectEqual(client.call(request), -EFAULT, name)
            }
        },
        ConformanceCase("status bits are added, and only 0 takes them away") { context in
            let client = try context.openUnowned()
            try expectEqual(client.setStatus(1), 0, "ACKNOWLEDGE")
            try expectEqual(client.setStatus(2), -EINVAL, "DRIVER alone")
            try expectEqual(client.status(), 1, "status")
            try expectEqual(client.setStatus(3), 0, "both")
            try expectEqual(client.setStatus(0), 0, "reset")
            try expectEqual(client.status(), 0, "status")
        },
        ConformanceCase("features cannot change after FEATURES_OK") { context in
            let client = try context.open()
            let features = try client.get(CVHOST_GET_FEATURES, as: UInt64.self)
            try client.negotiate()
            try expectEqual(client.set(CVHOST_SET_FEATURES, features), -EBUSY, "SET_FEATURES")
            try expectEqual(client.setStatus(0), 0, "reset")
            try expectEqual(client.set(CVHOST_SET_FEATURES, features), 0, "SET_FEATURES now")
        },
        ConformanceCase("only vdpa_sim demands ACCESS_PLATFORM") { context in
            let client = try context.open()
            let features = try client.get(CVHOST_GET_FEATURES, as: UInt64.self)
            try expectEqual(features & 1 << 32, 1 << 32, "VERSION_1 is offered")
            try expectEqual(features & 1 << 33, 1 << 33, "ACCESS_PLATFORM is offered")
            let answer = client.set(CVHOST_SET_FEATURES, features & ~(1 << 33))
            let isSim = Set.vdpaSim.contains(context.profile)
            try expectEqual(answer, isSim ? -EINVAL : 0, "SET_FEATURES without it")
        },
        ConformanceCase("the configuration space is read within its bounds") { context in
            let client = try context.openUnowned()
            let size = try client.get(CVHOST_VDPA_GET_CONFIG_SIZE, as: UInt32.self)
            if context.profile == .iommu { try expectEqual(size, 4096, "GET_CONFIG_SIZE") }
            try expectEqual(client.configuration(0, 1), 0, "one byte")
            try expectEqual(client.configuration(size - 1, 1), 0, "the last byte")
            try expectEqual(client.configuration(0, 0), -EINVAL, "no byte")
            try expectEqual(client.configuration(size, 1), -EINVAL, "behind the end")
            try expectEqual(client.configuration(size - 1, 2), -EINVAL, "over the end")
            try expectEqual(client.configuration(size + 1, 1), -EINVAL, "far behind")
            try expectEqual(client.configuration(.max, .max), -EINVAL, "both at their largest")
        },
        ConformanceCase("the configuration space is written within its bounds") { context in
            let client = try context.openUnowned()
            let size = try client.get(CVHOST_VDPA_GET_CONFIG_SIZE, as: UInt32.self)
            let write = CVHOST_VDPA_SET_CONFIG
            try expectEqual(client.configuration(0, 0, write), -EINVAL, "no byte")
            try expectEqual(client.configuration(size, 1, write), -EINVAL, "behind the end")
            try expectEqual(client.configuration(size - 1, 2, write), -EINVAL, "over the end")
            try expectEqual(client.configuration(0, 1, write), 0, "one byte")
        },
        ConformanceCase("a configuration interrupt takes an eventfd or -1") { context in
            let client = try context.openUnowned()
            let event = try Event()
            let request = CVHOST_VDPA_SET_CONFIG_CALL
            try expectEqual(client.set(request, event.number), 0, "an eventfd")
            try expectEqual(client.set(request, Int32(-1)), 0, "unbind")
            try expectEqual(client.set(request, Int32(9999)), -EBADF, "no descriptor")
            let other = try Event(isEventFile: false)
            try expectEqual(client.set(request, other.number), -EINVAL, "another file")
        },
        ConformanceCase("SUSPEND is 0 on vdpa_sim in any state", on: .vdpaSim) { context in
            let client = try context.openUnowned()
            try expectEqual(client.call(CVHOST_VDPA_SUSPEND), 0, "SUSPEND before DRIVER_OK")
        },
        ConformanceCase("SUSPEND is EOPNOTSUPP on the others", on: [.iommu, .vduse]) { context in
            let client = try context.openUnowned()
            try expectEqual(client.call(CVHOST_VDPA_SUSPEND), -EOPNOTSUPP, "SUSPEND")
        },
    ]
}

extension Client {
    /// GET_CONFIG or SET_CONFIG with room for a few bytes: the header alone decides about larger
    /// counts, and those of the cases are refused.
    fileprivate func configuration(
        _ offset: UInt32, _ count: UInt32, _ request: UInt32 = CVHOST_VDPA_GET_CONFIG
    ) -> Int32 {
        var window = (offset, count, UInt64(0))
        return call(request, &window)
    }
}
