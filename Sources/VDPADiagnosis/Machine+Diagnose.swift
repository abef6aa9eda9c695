internal import HostMemory

extension Machine {
    /// Whether the machine is ready for a device, or for each that it has.
    ///
    /// Reads sysfs, procfs and the device files' permissions only, unless `opening`.
    ///
    /// - Parameters:
    ///   - device: a device file's path, or its name in /dev; nil for all that there are.
    ///   - opening: opens the device as well, which tells its features, range and groups.
    /// - Important: opening resets a device that nobody uses.
    /// - Returns: one diagnosis for each device; one without a device where there is none.
    public func diagnose(device: String? = nil, opening: Bool = false) -> [Diagnosis] {
        let shared = kernelFindings()
        let paths = device.map { [path(of: $0)] } ?? devicePaths
        guard !paths.isEmpty else {
            return [Diagnosis(device: nil, findings: shared + noDeviceFindings())]
        }
        return paths.map { path in
            let findings = DeviceExamination(machine: self, path: path).findings
            // What may be something else altogether is not opened.
            let isDevice = findings.contains { $0.topic == Topic.permissions.rawValue }
            return Diagnosis(
                device: path,
                findings: shared + findings + (opening && isDevice ? openFindings(path) : []))
        }
    }

    /// Why there is no device file: the module, or what the vDPA devices are bound to.
    func noDeviceFindings() -> [Finding] {
        var findings: [Finding] = []
        if Folder.names(in: sysfs + "/module/vhost_vdpa") == nil {
            findings.append(
                .failure(
                    .module, "The module vhost_vdpa is not loaded.",
                    remedy: "modprobe vhost_vdpa"))
        }
        let bus = sysfs + "/bus/vdpa"
        let names = (Folder.names(in: bus + "/devices") ?? []).sorted()
        for name in names {
            let driver = Folder.target(of: "\(bus)/devices/\(name)/driver")?.split(separator: "/")
                .last
            guard driver != "vhost_vdpa" else { continue }
            let bind = "echo \(name) > \(bus)/drivers/vhost_vdpa/bind"
            findings.append(
                driver.map { driver in
                    .failure(
                        .device, "The vDPA device \(name) is bound to \(driver).",
                        remedy: "echo \(name) > \(bus)/drivers/\(driver)/unbind; \(bind)")
                }
                    ?? .failure(
                        .device, "The vDPA device \(name) is bound to no driver.", remedy: bind))
        }
        if names.isEmpty {
            findings.append(
                .failure(
                    .device, "There is no vDPA device.",
                    remedy: "Make one: `vdpa mgmtdev show`, then `vdpa dev add name vdpa0 mgmtdev "
                        + "NAME`. To try without hardware: modprobe vdpa_sim_net."))
        }
        if findings.isEmpty {
            findings.append(
                .failure(
                    .device, "\(devices) has no vhost-vdpa-N, though vDPA devices are bound.",
                    remedy: "Look whether udev runs, or hand the device file into the container."))
        }
        return findings
    }
}
