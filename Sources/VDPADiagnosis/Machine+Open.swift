internal import IOVAAllocator
internal import VDPAMemory

extension Machine {
    /// What only the device itself tells. Opening resets it, if nobody uses it.
    func openFindings(_ path: String) -> [Finding] {
        do throws(DMAError) {
            let device = try open(path)
            return [.ok(.open, "it was opened, and thereby reset")]
                + [features(of: device), range(of: device), try groups(of: device)]
        } catch {
            return [.failure(.open, error.message, remedy: error.remedy)]
        }
    }

    private func features(of device: VDPADevice) -> Finding {
        .ok(.features, "backend features \(device.backendFeatures)")
    }

    private func range(of device: VDPADevice) -> Finding {
        let windows = device.reservedWindows.filter { $0.overlaps(device.iovaRange) }
        let rest =
            windows.isEmpty
            ? "" : ", without " + windows.map { "\($0)" }.joined(separator: ", ")
        return .ok(.range, "IOVA range \(device.iovaRange)\(rest)")
    }

    private func groups(of device: VDPADevice) throws(DMAError) -> Finding {
        let counts = [
            counted(try device.queueCount, "queue"), counted(try device.groupCount, "group"),
            counted(Int(device.addressSpaceCount), "address space"),
        ]
        return .ok(.groups, counts.joined(separator: ", "))
    }
}
