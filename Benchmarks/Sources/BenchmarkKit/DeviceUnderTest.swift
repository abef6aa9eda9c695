internal import VDPAMemory
internal import VDPASimulator

/// The device that `--device` names, or the simulated one.
///
/// Opened anew for every repetition: whatever a domain keeps of earlier work, mapped extents for
/// one, must not make the next measurement cheaper.
struct DeviceUnderTest {
    let path: String?
    /// Whether the simulated device is one that maps by virtual address and has no limit of
    /// entries: it pins nothing, so that what it does is not measured along with the memory.
    var leavesMemoryAlone = false

    func openDomain(
        unmapping: DMADomainOptions.Unmapping = .immediate
    ) throws(BenchmarkError) -> DMADomain {
        let device = try open()
        do {
            return try DMADomain(device, options: .init(unmapping: unmapping))
        } catch {
            throw BenchmarkError("\(device.name): \(error)")
        }
    }

    /// Pages of 4 KiB that the device's table certainly holds; nil for no limit.
    func entryLimit() throws(BenchmarkError) -> Int? { try open().entryLimit }

    private func open() throws(BenchmarkError) -> VDPADevice {
        do {
            if let path { return try VDPADevice(path: path) }
            guard leavesMemoryAlone else { return try VDPADevice.simulated() }
            var configuration = SimulatedDevice.Configuration.vduse()
            configuration.entryLimit = 1 << 40
            return try VDPADevice(SimulatedDevice(configuration))
        } catch {
            throw BenchmarkError("\(path ?? "the simulated device"): \(error)")
        }
    }
}

extension DMADomain {
    /// Every write to the device so far: updates, invalidations, batch begins and ends.
    var messageCount: Int {
        let statistics = self.statistics
        return Int(statistics.updateMessages) + Int(statistics.invalidateMessages)
            + Int(statistics.batchMessages)
    }
}
