// swift-tools-version: 6.2
import PackageDescription

// The manifest is the map: targets stand bottom-up, and a module imports only modules above it in
// this list. `make lint` checks every import against the dependencies declared here.

/// Settings of every Swift target: language mode 6, visible imports, every unsafe use marked.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
]

let package = Package(
    name: "vdpa-memory",
    products: [
        .library(name: "IOVAAllocator", targets: ["IOVAAllocator"]),
        .library(name: "VDPAMemory", targets: ["VDPAMemory"]),
        .library(name: "VDPASimulator", targets: ["VDPASimulator"]),
        .library(name: "VDPADiagnosis", targets: ["VDPADiagnosis"]),
        // For C: `make install` makes libvdpamemory.so and .a of it.
        .library(name: "VDPAMemoryC", type: .static, targets: ["VDPAMemoryC"]),
    ],
    targets: [
        // Edges to C: the kernel's structures and request numbers, and libnuma.
        .target(name: "CVhostVDPA"),
        .systemLibrary(name: "CNUMA", pkgConfig: "numa", providers: [.apt(["libnuma-dev"])]),

        // C for what runs per operation on many threads: thread numbers, atomic words, a lock, and
        // the pool of buffers.
        .target(name: "CDatapath"),

        // The IOVA space. Pure: no system call, no clock, no randomness, no Foundation.
        .target(name: "IOVAAllocator", dependencies: ["CDatapath"], swiftSettings: strict),

        // Hugepage-backed memory on a chosen NUMA node.
        .target(name: "HostMemory", dependencies: ["CNUMA"], swiftSettings: strict),

        // The thin, internal layer over the vhost-vdpa device file.
        .target(
            name: "VhostVDPA", dependencies: ["CVhostVDPA", "IOVAAllocator"],
            swiftSettings: strict),

        // What applications import: device, domain, region, pool.
        .target(
            name: "VDPAMemory",
            dependencies: ["CDatapath", "IOVAAllocator", "HostMemory", "VhostVDPA"],
            swiftSettings: strict),

        // Whether a machine is ready, and what a layout asks of it: what `vdpa-doctor` prints (its
        // command line, which needs another package, is in Tools).
        .target(
            name: "VDPADiagnosis", dependencies: ["IOVAAllocator", "HostMemory", "VDPAMemory"],
            swiftSettings: strict),

        // A device with the kernel's semantics and no hardware.
        .target(
            name: "VDPASimulator",
            dependencies: ["CVhostVDPA", "VhostVDPA", "VDPAMemory", "IOVAAllocator"],
            swiftSettings: strict),

        // The C interface: a hand-written header, names for objects, and the functions, which must
        // be exactly what the header declares.
        .target(name: "CVDPAMemory", dependencies: ["CDatapath"]),
        .target(
            name: "VDPAMemoryC",
            dependencies: [
                "CVDPAMemory", "CDatapath", "VDPAMemory", "VDPASimulator", "IOVAAllocator",
            ],
            swiftSettings: strict),

        // Proof. `Conformance` is one source of cases: `swift test` runs it on the simulator,
        // `vdpa-conformance` runs it on a kernel device inside the test VM.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        .target(name: "CTestSupport", path: "Tests/CTestSupport"),
        // Small virtio drivers over the library, as an application would write them, and the
        // devices that they meet on the simulator. The benchmark has them by symbolic links.
        .target(name: "CVirtioDriver", path: "Tests/CVirtioDriver"),
        .target(
            name: "VirtioDriver", dependencies: ["CVirtioDriver", "VDPAMemory"],
            path: "Tests/VirtioDriver", exclude: ["README.md"], swiftSettings: strict),
        .target(
            name: "VirtioDeviceModel", dependencies: ["VDPAMemory", "VDPASimulator"],
            path: "Tests/VirtioDeviceModel", swiftSettings: strict),
        .target(
            name: "Conformance",
            dependencies: [
                "CVhostVDPA", "IOVAAllocator", "HostMemory", "VhostVDPA", "VDPAMemory",
                "VirtioDriver", "TestSupport", "CTestSupport",
            ],
            path: "Tests/Conformance", swiftSettings: strict),
        .executableTarget(
            name: "vdpa-conformance", dependencies: ["Conformance", "VDPAMemory", "VhostVDPA"],
            path: "Tests/KernelVM/Runner", swiftSettings: strict),
        .testTarget(
            name: "CDatapathTests", dependencies: ["CDatapath", "TestSupport", "CTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "IOVAAllocatorTests",
            dependencies: ["IOVAAllocator", "CDatapath", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "HostMemoryTests",
            dependencies: ["HostMemory", "CNUMA", "TestSupport", "CTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "VhostVDPATests", dependencies: ["VhostVDPA", "CVhostVDPA", "IOVAAllocator"],
            swiftSettings: strict),
        .testTarget(
            name: "VDPASimulatorTests",
            dependencies: [
                "VDPASimulator", "VDPAMemory", "VhostVDPA", "CVhostVDPA", "IOVAAllocator",
                "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "VDPAMemoryTests",
            dependencies: [
                "VDPAMemory", "VDPASimulator", "VhostVDPA", "HostMemory", "IOVAAllocator",
                "TestSupport", "CTestSupport",
                "CVDPAMemory",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "VDPADiagnosisTests",
            dependencies: [
                "VDPADiagnosis", "VDPAMemory", "VDPASimulator", "HostMemory", "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "VirtioDriverTests",
            dependencies: [
                "VirtioDriver", "VirtioDeviceModel", "VDPAMemory", "VDPASimulator",
                "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ConformanceTests",
            dependencies: [
                "Conformance", "VirtioDeviceModel", "VDPASimulator", "VDPAMemory", "VhostVDPA",
            ],
            swiftSettings: strict),
    ]
)
