// swift-tools-version: 6.2
import PackageDescription

// A manifest of its own: users of the libraries resolve no other package because of the benchmark.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
]

let package = Package(
    name: "vdpa-bench",
    products: [.executable(name: "vdpa-bench", targets: ["vdpa-bench"])],
    dependencies: [
        // The name is given because a clone's folder may be called anything.
        .package(name: "vdpa-memory", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // Time-stamp counter and the few system calls that Glibc's module does not offer.
        .target(name: "CBenchmark"),

        // The virtio drivers that the package's own tests have, by symbolic links: the suite `blk`
        // drives a real device with them, and they are no product.
        .target(name: "CVirtioDriver"),
        .target(
            name: "VirtioDriver",
            dependencies: [
                "CVirtioDriver", .product(name: "VDPAMemory", package: "vdpa-memory"),
            ],
            exclude: ["README.md"],
            swiftSettings: strict),
        .target(
            name: "VirtioDeviceModel",
            dependencies: [
                .product(name: "VDPAMemory", package: "vdpa-memory"),
                .product(name: "VDPASimulator", package: "vdpa-memory"),
            ],
            swiftSettings: strict),

        // Workloads, clocks, statistics, output: everything a test can check.
        .target(
            name: "BenchmarkKit",
            dependencies: [
                "CBenchmark", "VirtioDriver", "VirtioDeviceModel",
                .product(name: "IOVAAllocator", package: "vdpa-memory"),
                .product(name: "VDPAMemory", package: "vdpa-memory"),
                .product(name: "VDPASimulator", package: "vdpa-memory"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: strict),

        // The command line.
        .executableTarget(
            name: "vdpa-bench",
            dependencies: [
                "BenchmarkKit",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "BenchmarkKitTests",
            dependencies: [
                "BenchmarkKit", "CBenchmark",
                .product(name: "IOVAAllocator", package: "vdpa-memory"),
            ],
            swiftSettings: strict),
    ]
)
