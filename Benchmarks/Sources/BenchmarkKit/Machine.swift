internal import Foundation

/// Where figures come from. Without it a figure says nothing.
public struct Machine: Encodable, Sendable {
    public let cpu: String
    public let cores: Int
    public let memoryBytes: Int
    public let architecture: String
    public let kernel: String
    /// `simulated`, or the device's path and its place in sysfs.
    public let device: String
    public let basePageBytes: Int
    /// Hugetlb pages in all and free, per page size in bytes.
    public let hugePages: [HugePagePool]
    /// The chosen word of the kernel's settings for anonymous and for shared memory.
    public let transparentHugePages: String
    public let transparentHugePagesShared: String
    public let release: Bool
    public let invariantChecks: Bool
    public let seed: UInt64
    public let nanosecondsPerTick: Double

    private enum CodingKeys: String, CodingKey {
        case cpu, cores, architecture, kernel, device, release, seed
        case memoryBytes = "memory_bytes"
        case basePageBytes = "base_page_bytes"
        case hugePages = "huge_pages"
        case transparentHugePages = "transparent_huge_pages"
        case transparentHugePagesShared = "transparent_huge_pages_shared"
        case invariantChecks = "invariant_checks"
        case nanosecondsPerTick = "ns_per_tick"
    }

    public init(devicePath: String?, seed: UInt64, clock: TickClock) {
        let info = ProcessInfo.processInfo
        cpu = Self.cpuModel()
        cores = info.activeProcessorCount
        memoryBytes = Int(info.physicalMemory)
        architecture = Self.architecture
        kernel = Self.text("/proc/sys/kernel/osrelease") ?? "unknown"
        device = Self.deviceKind(devicePath)
        basePageBytes = sysconf(Int32(_SC_PAGESIZE))
        hugePages = HugePagePool.all()
        transparentHugePages = Self.chosenWord("enabled")
        transparentHugePagesShared = Self.chosenWord("shmem_enabled")
        (release, invariantChecks) = (Self.isRelease, Self.assertionsRun())
        self.seed = seed
        nanosecondsPerTick = clock.nanosecondsPerTick
    }

    private static var architecture: String {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "arm64"
        #else
            "other"
        #endif
    }

    private static var isRelease: Bool {
        #if DEBUG
            false
        #else
            true
        #endif
    }

    /// Whether `assert`, which the libraries' own invariant checks hang on, is compiled in. The
    /// libraries are built in the same configuration as this one.
    private static func assertionsRun() -> Bool {
        var run = false
        func noteIt() -> Bool {
            run = true
            return run
        }
        assert(noteIt())
        return run
    }

    /// A one-line file's text; nil where it cannot be read.
    static func text(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return String(decoding: data, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// arm64's cpuinfo names no model: the implementer and part numbers stand in.
    private static func cpuModel() -> String {
        let lines = (text("/proc/cpuinfo") ?? "").split(separator: "\n")
        func value(_ key: String) -> String? {
            guard let line = lines.first(where: { $0.hasPrefix(key) }) else { return nil }
            return line.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
        }
        if let model = value("model name") { return model }
        guard let maker = value("CPU implementer"), let part = value("CPU part") else {
            return "unknown"
        }
        return "implementer \(maker) part \(part)"
    }

    private static func chosenWord(_ setting: String) -> String {
        let words = text("/sys/kernel/mm/transparent_hugepage/" + setting)
        guard let chosen = words?.split(separator: "[").last?.split(separator: "]").first,
            words?.contains("[") == true
        else { return "unknown" }
        return String(chosen)
    }

    /// The device's place in sysfs tells hardware from software devices.
    private static func deviceKind(_ path: String?) -> String {
        guard let path else { return "simulated" }
        let node = String(path.split(separator: "/").last ?? "")
        let root = "/sys/bus/vdpa/devices"
        let files = FileManager.default
        let names = (try? files.contentsOfDirectory(atPath: root)) ?? []
        for name in names where files.fileExists(atPath: "\(root)/\(name)/\(node)") {
            let device = URL(fileURLWithPath: "\(root)/\(name)").resolvingSymlinksInPath()
            // Behind /, sys and devices: the bus address for hardware, else the name alone.
            return "\(path) (\(device.pathComponents.dropFirst(3).joined(separator: "/")))"
        }
        return path
    }

    /// Memory of this process that is resident, exactly: the counters in statm lag behind.
    static func residentByteCount() -> Int {
        let lines = (text("/proc/self/smaps_rollup") ?? "").split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("Rss:") }) else { return 0 }
        return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }

    /// The machine in one line, for the head of the table.
    public var summary: String {
        let memory = String(format: "%.1f GiB", Double(memoryBytes) / Double(1 << 30))
        return "\(cpu), \(cores) cores, \(memory), Linux \(kernel) \(architecture)"
    }

    /// What was run, in one line.
    public var setting: String {
        let pools = hugePages.map { "\($0.free)/\($0.total) of \($0.pageBytes >> 20) MiB" }
        let build = release ? "release" : "DEBUG BUILD, not a benchmark"
        return "device \(device); \(build); invariant checks \(invariantChecks ? "on" : "off"); "
            + "seed \(seed); huge pages free \(pools.joined(separator: ", ")); "
            + "THP \(transparentHugePages), shared \(transparentHugePagesShared)"
    }
}
