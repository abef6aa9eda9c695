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
        let isLoaded = Folder.names(in: sysfs + "/module/vhost_vdpa") != nil
        if !isLoaded { findings.append(moduleFinding()) }
        let bus = sysfs + "/bus/vdpa"
        let names = (Folder.names(in: bus + "/devices") ?? []).sorted()
        for name in names {
            let driver = Folder.target(of: "\(bus)/devices/\(name)/driver")?.split(separator: "/")
                .last
            guard driver != "vhost_vdpa" else { continue }
            // A device without a driver is bound when the module is loaded.
            guard driver != nil || isLoaded else { continue }
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
                        + "NAME`. Without hardware: `modprobe vdpa_sim use_va=0; modprobe "
                        + "vdpa_sim_net; vdpa dev add name vdpa0 mgmtdev vdpasim_net`. Without "
                        + "those modules: the simulated device of the library, or the VM with "
                        + "real ones, Tests/KernelVM/kernel-vm (README)."))
        }
        if findings.isEmpty {
            findings.append(
                .failure(
                    .device, "\(devices) has no vhost-vdpa-N, though vDPA devices are bound.",
                    remedy: "Look whether udev runs, or hand the device file into the container."))
        }
        return findings
    }

    /// Why the module is not loaded: many distributions build their kernels without it.
    private func moduleFinding() -> Finding {
        let release = TextFile.lines(of: procfs + "/sys/kernel/osrelease")?.first ?? "?"
        let folder = "\(modules)/\(release)"
        guard let known = TextFile.lines(of: folder + "/modules.dep") else {
            return .failure(
                .module, "The module vhost_vdpa is not loaded, and \(folder) lists no modules.",
                remedy:
                    "In a container: modprobe vhost_vdpa outside of it. Otherwise boot a kernel "
                    + "with CONFIG_VHOST_VDPA.")
        }
        // kernel/drivers/vhost/vhost_vdpa.ko.xz: kernel/drivers/vdpa/vdpa.ko.xz ...
        guard known.contains(where: { $0.prefix { $0 != ":" }.contains("/vhost_vdpa.ko") }) else {
            return .failure(
                .module, "Linux \(release) was built without the module vhost_vdpa.",
                remedy: "Boot a kernel with CONFIG_VDPA and CONFIG_VHOST_VDPA; Debian 12's own has "
                    + "neither.")
        }
        return .failure(
            .module, "The module vhost_vdpa is not loaded.",
            remedy: "sudo modprobe vhost_vdpa")
    }
}
