// swift-tools-version: 6.2
import PackageDescription

// Programs to start from. They depend on the libraries alone; `make examples` builds and runs them.
let package = Package(
    name: "examples",
    dependencies: [
        // The name is given because a clone's folder may be called anything.
        .package(name: "vdpa-memory", path: "..")
    ],
    targets: [
        // Two queues, two threads, a pool for each queue and direction.
        .executableTarget(
            name: "rx-tx",
            dependencies: [
                .product(name: "VDPAMemory", package: "vdpa-memory"),
                .product(name: "VDPASimulator", package: "vdpa-memory"),
            ]),

        // A VMM's guest memory: hundreds of slots at once, hot-plug, a reset.
        .executableTarget(
            name: "guest-memory",
            dependencies: [
                .product(name: "VDPAMemory", package: "vdpa-memory"),
                .product(name: "VDPASimulator", package: "vdpa-memory"),
            ]),
    ]
)
