internal import CVhostVDPA

extension ConformanceCase {
    /// The virtqueue ioctls.
    static let rings: [ConformanceCase] = [
        ConformanceCase("a queue index beyond the last is ENOBUFS") { context in
            let client = try context.open()
            let queues = try client.get(CVHOST_VDPA_GET_VQS_COUNT, as: UInt32.self)
            let requests = [
                CVHOST_SET_VRING_NUM, CVHOST_SET_VRING_BASE, CVHOST_GET_VRING_BASE,
                CVHOST_VDPA_SET_VRING_ENABLE, CVHOST_VDPA_GET_VRING_GROUP, CVHOST_SET_VRING_KICK,
                CVHOST_SET_VRING_CALL, CVHOST_SET_VRING_ERR, CVHOST_VDPA_SET_GROUP_ASID,
            ]
            for request in requests {
                let name = "request 0x" + String(request, radix: 16)
                try expectEqual(client.setRing(request, queues, 1), -ENOBUFS, name)
                try expectEqual(client.setRing(request, .max, 1), -ENOBUFS, name)
            }
        },
        ConformanceCase("a ring request without its structure is EFAULT") { context in
            let client = try context.open()
            for request in [CVHOST_SET_VRING_NUM, CVHOST_SET_VRING_ADDR, CVHOST_SET_VRING_CALL] {
                let name = "request 0x" + String(request, radix: 16)
                try expectEqual(client.call(request), -EFAULT, name)
            }
        },
        ConformanceCase("a ring's size is a power of two, even above the maximum") { context in
            let client = try context.open()
            for size in [UInt32(1), 2, 256, 512, 0x8000] {
                try expectEqual(client.setRing(CVHOST_SET_VRING_NUM, 0, size), 0, "\(size)")
            }
            for size in [UInt32(0), 3, 255, 257, 0xffff, 0x10000] {
                try expectEqual(client.setRing(CVHOST_SET_VRING_NUM, 0, size), -EINVAL, "\(size)")
            }
        },
        ConformanceCase("ring addresses are checked for alignment, descriptors excepted") {
            context in
            let client = try context.open()
            try expectEqual(client.addresses(0x1000, 0x2000, 0x3000), 0, "aligned")
            try expectEqual(client.addresses(0x1001, 0x2000, 0x3000), 0, "uneven descriptors")
            try expectEqual(client.addresses(0x1000, 0x2002, 0x3000), -EINVAL, "used by 2")
            try expectEqual(client.addresses(0x1000, 0x2000, 0x3001), -EINVAL, "available by 1")
            try expectEqual(client.addresses(0x1000, 0x2000, 0x3002), 0, "available by 2")
            try expectEqual(client.addresses(0x1000, 0x2000, 0x3000, log: 2), -EINVAL, "log by 2")
            try expectEqual(client.addresses(0x1000, 0x2000, 0x3000, flags: 1), 0, "the log flag")
            try expectEqual(
                client.addresses(0x1000, 0x2000, 0x3000, flags: 2), -EOPNOTSUPP, "another flag")
            try expectEqual(client.addresses(0, 0, 0), 0, "zeros")
        },
        ConformanceCase("a split index is at most 65535") { context in
            let client = try context.open()
            let answer = client.setRing(CVHOST_SET_VRING_BASE, 0, 0x10000)
            try expectEqual(answer, -EINVAL, "65536")
        },
        ConformanceCase("vdpa_sim keeps the index until a reset", on: .vdpaSim) { context in
            let client = try context.open()
            try expectEqual(client.setRing(CVHOST_SET_VRING_BASE, 0, 0xffff), 0, "65535")
            let state = client.getRing(CVHOST_GET_VRING_BASE, 0)
            try expectEqual(state.result, 0, "GET_VRING_BASE")
            try expectEqual(state.number, 0xffff, "index")
            try expectEqual(client.setStatus(0), 0, "reset")
            try expectEqual(client.getRing(CVHOST_GET_VRING_BASE, 0).number, 0, "index")
        },
        ConformanceCase("VDUSE reports its daemon's index", on: [.vduse]) { context in
            let client = try context.open()
            try expectEqual(client.setRing(CVHOST_SET_VRING_BASE, 0, 1), 0, "SET_VRING_BASE")
            let state = client.getRing(CVHOST_GET_VRING_BASE, 0)
            try expectEqual(state.result, 0, "GET_VRING_BASE")
            try expectEqual(state.number, 0, "index")
        },
        ConformanceCase("vp_vdpa takes index 0 after FEATURES_OK and reports none", on: [.iommu]) {
            context in
            let client = try context.open()
            let base = CVHOST_SET_VRING_BASE
            try expectEqual(
                client.getRing(CVHOST_GET_VRING_BASE, 0).result, -EOPNOTSUPP, "GET_VRING_BASE")
            try expectEqual(client.setRing(base, 0, 0), -EOPNOTSUPP, "before FEATURES_OK")
            try client.negotiate()
            try expectEqual(client.setRing(base, 0, 0), 0, "after FEATURES_OK")
            try expectEqual(client.setRing(base, 0, 1), -EOPNOTSUPP, "another index")
            try expectEqual(client.setRing(CVHOST_VDPA_SET_VRING_ENABLE, 0, 1), 0, "ENABLE")
            try expectEqual(client.setRing(base, 0, 0), -EOPNOTSUPP, "when enabled")
        },
        ConformanceCase("vp_vdpa asks for a reset where a queue is disabled", on: [.iommu]) {
            context in
            let client = try context.open()
            try client.negotiate()
            try expectEqual(client.setRing(CVHOST_VDPA_SET_VRING_ENABLE, 0, 0), 0, "disable")
            try expectEqual(client.status(), 0x4b, "status")
            try expectEqual(client.setStatus(0xf), -EINVAL, "DRIVER_OK without NEEDS_RESET")
            try expectEqual(client.setStatus(0), 0, "reset")
            try expectEqual(client.status(), 0, "status")
        },
        ConformanceCase("vp_vdpa enables a queue whose ring is not mapped", on: [.iommu]) {
            context in
            let client = try context.open()
            try client.negotiate()
            try expectEqual(client.setRing(CVHOST_SET_VRING_NUM, 0, 256), 0, "SET_VRING_NUM")
            try expectEqual(client.addresses(0x10_0800, 0x11_0000, 0x12_0000), 0, "SET_VRING_ADDR")
            try expectEqual(client.setRing(CVHOST_VDPA_SET_VRING_ENABLE, 0, 1), 0, "ENABLE")
            try expectEqual(client.status(), 0x0b, "status")
        },
        ConformanceCase("kick, call and error take an eventfd or -1") { context in
            let client = try context.open()
            let event = try Event()
            let other = try Event(isEventFile: false)
            for request in [CVHOST_SET_VRING_KICK, CVHOST_SET_VRING_CALL, CVHOST_SET_VRING_ERR] {
                let name = "request 0x" + String(request, radix: 16)
                let number = UInt32(bitPattern: event.number)
                let noEvent = UInt32(bitPattern: other.number)
                try expectEqual(client.setRing(request, 0, number), 0, name)
                try expectEqual(client.setRing(request, 0, .max), 0, name + " unbind")
                try expectEqual(client.setRing(request, 0, 9999), -EBADF, name + " no file")
                try expectEqual(client.setRing(request, 0, noEvent), -EINVAL, name + " other file")
            }
        },
        ConformanceCase("SET_VRING_ENABLE is always 0") { context in
            let client = try context.open()
            try client.negotiate()
            try expectEqual(client.setRing(CVHOST_VDPA_SET_VRING_ENABLE, 0, 1), 0, "ENABLE")
        },
        ConformanceCase("the busy-loop timeouts answer 0") { context in
            let client = try context.open()
            try expectEqual(client.setRing(CVHOST_SET_VRING_BUSYLOOP_TIMEOUT, 0, 5), 0, "SET")
            let state = client.getRing(CVHOST_GET_VRING_BUSYLOOP_TIMEOUT, 0)
            try expectEqual(state.result, 0, "GET")
            try expectEqual(state.number, 5, "timeout")
        },
        ConformanceCase("SET_MEM_TABLE is accepted and maps nothing") { context in
            let client = try context.open()
            let pages = try Pages(1)
            try expectEqual(client.memoryTable(regions: 0), 0, "no region")
            try expectEqual(client.memoryTable(regions: 65), -E2BIG, "65 regions")
            try expectEqual(
                client.memoryTable(regions: 1, region: (0x1001, 0x123, 0xffff_8000_0000_0001, 1)),
                0, "an uneven one with padding and an address of the kernel's")
            try expectEqual(
                client.memoryTable(regions: 1, region: (.max, 2, 0, 0)), -EFAULT, "a wrapping one")
            try expectEqual(client.memoryTable(regions: 0, padding: 1), -EOPNOTSUPP, "padding")
            try expectEqual(client.isFree(0x1000, pages[0]), true, "nothing is mapped")
        },
    ]
}

extension Client {
    fileprivate func addresses(
        _ descriptors: UInt64, _ used: UInt64, _ available: UInt64, log: UInt64 = 0,
        flags: UInt32 = 0
    ) -> Int32 {
        set(
            CVHOST_SET_VRING_ADDR,
            vhost_vring_addr(
                index: 0, flags: flags, desc_user_addr: descriptors, used_user_addr: used,
                avail_user_addr: available, log_guest_addr: log))
    }

    /// vhost_memory with at most one region: address, size, user address, padding.
    fileprivate func memoryTable(
        regions: UInt32, padding: UInt32 = 0,
        region: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    ) -> Int32 {
        set(CVHOST_SET_MEM_TABLE, (regions, padding, region.0, region.1, region.2, region.3))
    }
}
