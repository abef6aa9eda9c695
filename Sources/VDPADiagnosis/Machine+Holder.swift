internal import HostMemory

extension Machine {
    /// Who has the device open: only one may, and a descriptor that was inherited or duplicated
    /// counts.
    func holder(of path: String) -> Finding {
        let names = [path, topology.resolve(path)].compactMap { $0 }
        var holders: [String] = []
        var hidden = 0
        for process in processes {
            let folder = "\(procfs)/\(process)"
            guard let descriptors = Folder.names(in: folder + "/fd") else {
                hidden += 1
                continue
            }
            let holds = descriptors.contains { descriptor in
                Folder.target(of: "\(folder)/fd/\(descriptor)").map(names.contains) ?? false
            }
            if holds {
                let command = TextFile.lines(of: folder + "/comm")?.first ?? "?"
                holders.append("\(process) (\(command))")
            }
        }
        guard holders.isEmpty else {
            return .failure(
                .holder, "It is open already, by process \(holders.joined(separator: ", ")).",
                remedy: "End that process, or let it hand its descriptor over to be adopted.")
        }
        return .ok(
            .holder,
            hidden == 0
                ? "no process has it open"
                : "no process that may be looked into has it open (\(hidden) may not: run as root)")
    }

    private var processes: [Int] {
        (Folder.names(in: procfs) ?? []).compactMap { Int($0) }.sorted()
    }
}
