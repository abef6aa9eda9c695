// swift-tools-version: 6.2
import PackageDescription

// What ThreadSanitizer is run on, and no more: the root package's targets by symbolic links.
// Swift 6.3 crashes when it compiles VDPAMemory with the sanitizer (its Atomic<UInt32>), and building
// everything would take three times as long.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
]

let package = Package(
    name: "thread-sanitizer",
    targets: [
        .target(name: "CDatapath", path: "CDatapath"),
        .target(
            name: "IOVAAllocator", dependencies: ["CDatapath"], path: "IOVAAllocator",
            swiftSettings: strict),
        .target(name: "TestSupport", path: "TestSupport", swiftSettings: strict),
        .testTarget(
            name: "CDatapathTests", dependencies: ["CDatapath", "TestSupport"],
            path: "CDatapathTests", swiftSettings: strict),
        .testTarget(
            name: "IOVAAllocatorTests",
            dependencies: ["IOVAAllocator", "CDatapath", "TestSupport"],
            path: "IOVAAllocatorTests", swiftSettings: strict),
    ]
)
