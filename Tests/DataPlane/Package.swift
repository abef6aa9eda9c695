// swift-tools-version: 6.2
import PackageDescription

// Counts what the data plane must not do. A program of its own, because it stands in for malloc and
// forbids itself system calls; `make test-release` builds and runs it in release.
let package = Package(
    name: "data-plane",
    dependencies: [
        // The name is given because a clone's folder may be called anything.
        .package(name: "vdpa-memory", path: "../..")
    ],
    targets: [
        .target(name: "CProbe"),
        .executableTarget(
            name: "data-plane-probe",
            dependencies: [
                "CProbe", .product(name: "VDPAMemory", package: "vdpa-memory"),
                .product(name: "VDPASimulator", package: "vdpa-memory"),
            ]),
    ]
)
