internal import HostMemory

extension Machine {
    /// What must be configured before a layout can be mapped, with the commands.
    ///
    /// Reads sysfs and procfs only.
    ///
    /// - Returns: nil where the page size is none of 4 KiB, 2 MiB and 1 GiB, or there is no memory
    ///   in the request, or more than 2^56 bytes.
    public func plan(_ request: PlanRequest) -> Plan? {
        guard request.memory.rawValue > 0, request.memory.rawValue <= 1 << 56,
            let size = [PageSize.size4KiB, .size2MiB, .size1GiB].first(where: {
                UInt64($0.byteCount) == request.page.rawValue
            })
        else { return nil }
        return Plan(
            request: request,
            steps: [deviceStep(request)] + memorySteps(request, size)
                + [lockedMemoryStep(request), entryStep(request, size)])
    }

    private func deviceStep(_ request: PlanRequest) -> PlanStep {
        let found = devicePaths.count
        let text = counted(request.devices, "device") + " wanted, \(found) found"
        return found >= request.devices
            ? PlanStep("devices", .ok, text)
            : PlanStep(
                "devices", .warning, text,
                ["vdpa mgmtdev show", "vdpa dev add name vdpaN mgmtdev NAME"])
    }

    /// The nodes of a request: its own, or those of the machine's devices, or the first.
    func nodes(_ request: PlanRequest) -> [Int] {
        guard request.nodes.isEmpty else { return request.nodes }
        let nodes = devicePaths.compactMap { path in
            inspect(path).flatMap { topology.node(ofCharacterDevice: $0.major, $0.minor) }
        }
        return nodes.isEmpty ? [topology.nodes[0]] : Array(Set(nodes)).sorted()
    }

    private func memorySteps(_ request: PlanRequest, _ size: PageSize) -> [PlanStep] {
        let nodes = nodes(request)
        let count = Int(request.pageCount)
        return nodes.enumerated().map { index, node in
            // The first nodes take what is left over.
            let share = count / nodes.count + (index < count % nodes.count ? 1 : 0)
            guard topology.nodes.contains(node) else {
                return PlanStep(
                    "hugepages", .failure, "The machine has no node \(node) with memory.")
            }
            return size.isHugetlb
                ? poolStep(size, share, node) : ordinaryStep(share, node)
        }
    }

    private func ordinaryStep(_ share: Int, _ node: Int) -> PlanStep {
        let wanted = ByteCount(UInt64(share) << 12)
        let available = topology.availableByteCount(onNode: node)
        let text =
            "node \(node): \(wanted) of ordinary memory, "
            + "\(ByteCount(UInt64(available))) available"
        return PlanStep("hugepages", share << 12 <= available ? .ok : .failure, text)
    }

    private func poolStep(_ size: PageSize, _ share: Int, _ node: Int) -> PlanStep {
        let boot = "hugepagesz=\(size == .size1GiB ? "1G" : "2M") hugepages=\(node):\(share)"
        let command = "on the kernel's command line, for good: \(boot)"
        guard let pool = topology.pool(of: size, onNode: node) else {
            return PlanStep(
                "hugepages", .failure, "The kernel has no pages of \(size) on node \(node).",
                [command])
        }
        let text = "node \(node): \(share) pages of \(size), \(pool.free) free of \(pool.total)"
        let missing = max(0, share - pool.free)
        guard missing > 0 else { return PlanStep("hugepages", .ok, text) }
        let folder = topology.poolFolder(of: size, onNode: node)
        let needed = missing.multipliedReportingOverflow(by: size.byteCount)
        let available = topology.availableByteCount(onNode: node)
        guard !needed.overflow, needed.partialValue <= available else {
            return PlanStep(
                "hugepages", .failure,
                text + "; \(ByteCount(UInt64(available))) of the node's memory are left for them",
                [command])
        }
        return PlanStep(
            "hugepages", .warning, text,
            ["echo \(pool.total + missing) > \(folder)/nr_hugepages", command])
    }

    private func lockedMemoryStep(_ request: PlanRequest) -> PlanStep {
        let mapped = request.pageCount &* request.page.rawValue
        let (bytes, overflow) = mapped.multipliedReportingOverflow(
            by: UInt64(request.devices * request.addressSpaces))
        let needed = overflow ? UInt64.max : bytes
        let limit = LockedMemory(procfs: procfs)
        let text =
            "\(ByteCount(needed)) locked: \(ByteCount(mapped)) for each of "
            + counted(request.devices, "device") + " with "
            + counted(request.addressSpaces, "address space")
        guard let soft = limit?.soft else {
            return limit == nil
                ? PlanStep("memlock", .warning, text + "; the limit is not known")
                : PlanStep("memlock", .ok, text + "; not limited")
        }
        let missing = text + "; the limit is \(ByteCount(soft))"
        guard soft < needed else { return PlanStep("memlock", .ok, missing) }
        return PlanStep(
            "memlock", .warning, missing,
            [
                "ulimit -l \((needed >> 10) + (needed & 1023 == 0 ? 0 : 1))",
                "prlimit --memlock=\(needed) --pid PID",
                "in the service's unit: LimitMEMLOCK=\(needed)",
            ])
    }

    private func entryStep(_ request: PlanRequest, _ size: PageSize) -> PlanStep {
        let most = request.pageCount
        let file = sysfs + "/module/vhost_vdpa/parameters/max_iotlb_entries"
        // What the module has unless it is told otherwise (drivers/vhost/vdpa.c).
        let limit = TextFile.number(in: file).map(UInt64.init(clamping:)) ?? 2048
        let text = "at most \(most) entries in each address space, of \(limit)"
        guard most > limit else { return PlanStep("entries", .ok, text) }
        var commands = [
            "modprobe -r vhost_vdpa; modprobe vhost_vdpa max_iotlb_entries=\(most)",
            "echo options vhost_vdpa max_iotlb_entries=\(most) > /etc/modprobe.d/vhost-vdpa.conf",
        ]
        if size != .size1GiB { commands.append("or larger pages: --page 1G") }
        return PlanStep("entries", .warning, text, commands)
    }
}
