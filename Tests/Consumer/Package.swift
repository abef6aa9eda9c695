// swift-tools-version: 6.2
import PackageDescription

// A user of the libraries, as small as one can be. `Scripts/test-consumer` builds and runs it and
// proves that depending on them brings no other package.

let package = Package(
    name: "consumer",
    // The name is given because a clone's folder may be called anything.
    dependencies: [.package(name: "vdpa-memory", path: "../..")],
    targets: [
        .executableTarget(
            name: "consumer",
            dependencies: [
                .product(name: "VDPAMemory", package: "vdpa-memory"),
                .product(name: "VDPASimulator", package: "vdpa-memory"),
            ]),
        // The space by itself, which brings nothing else of the library.
        .executableTarget(
            name: "space-consumer",
            dependencies: [.product(name: "IOVAAllocator", package: "vdpa-memory")]),
    ]
)
