// swift-tools-version: 6.2
import PackageDescription

// A manifest of its own: users of the libraries resolve no other package because of the doctor.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
]

let package = Package(
    name: "vdpa-doctor",
    products: [.executable(name: "vdpa-doctor", targets: ["vdpa-doctor"])],
    dependencies: [
        // The name is given because a clone's folder may be called anything.
        .package(name: "vdpa-memory", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // How findings, plans and maps look: everything a test can check.
        .target(
            name: "DoctorKit",
            dependencies: [
                .product(name: "VDPADiagnosis", package: "vdpa-memory"),
                .product(name: "VDPAMemory", package: "vdpa-memory"),
            ],
            swiftSettings: strict),

        // The command line.
        .executableTarget(
            name: "vdpa-doctor",
            dependencies: [
                "DoctorKit",
                .product(name: "VDPADiagnosis", package: "vdpa-memory"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DoctorKitTests",
            dependencies: [
                "DoctorKit",
                .product(name: "VDPADiagnosis", package: "vdpa-memory"),
                .product(name: "VDPAMemory", package: "vdpa-memory"),
                .product(name: "VDPASimulator", package: "vdpa-memory"),
            ],
            swiftSettings: strict),
    ]
)
