// swift-tools-version: 6.2
import PackageDescription

// What ThreadSanitizer is run on, and `make test-release`, and no more: the root package's targets
// by symbolic links, with a lock that the sanitizer knows (SanitizedMutex.swift) in the place of
// Swift's Mutex. Building everything would take three times as long.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
]

// The IOVA space and what it stands on; VDPA_SPACE_ONLY=1 leaves it at that, as test-release does.
let space: [Target] = [
    .target(name: "CDatapath", path: "CDatapath"),
    .target(
        name: "IOVAAllocator", dependencies: ["CDatapath"], path: "IOVAAllocator",
        swiftSettings: strict),
    .target(name: "TestSupport", path: "TestSupport", swiftSettings: strict),
    .testTarget(
        name: "IOVAAllocatorTests",
        dependencies: ["IOVAAllocator", "CDatapath", "TestSupport"],
        path: "IOVAAllocatorTests", swiftSettings: strict),
]

let others: [Target] = [
    .target(name: "CVhostVDPA", path: "CVhostVDPA"),
    .systemLibrary(name: "CNUMA", path: "CNUMA", pkgConfig: "numa"),
    .target(
        name: "HostMemory", dependencies: ["CNUMA", "CDatapath"], path: "HostMemory",
        swiftSettings: strict),
    .target(
        name: "VhostVDPA", dependencies: ["CVhostVDPA", "IOVAAllocator"], path: "VhostVDPA",
        swiftSettings: strict),
    .target(
        name: "VDPAMemory",
        dependencies: ["IOVAAllocator", "HostMemory", "VhostVDPA", "CDatapath"],
        path: "VDPAMemory", swiftSettings: strict),
    .target(
        name: "VDPASimulator",
        dependencies: ["CVhostVDPA", "VhostVDPA", "VDPAMemory", "IOVAAllocator", "CDatapath"],
        path: "VDPASimulator", swiftSettings: strict),
    .testTarget(
        name: "CDatapathTests", dependencies: ["CDatapath", "TestSupport"],
        path: "CDatapathTests", exclude: ["PoolLifeTests.swift"], swiftSettings: strict),
    .testTarget(
        name: "DomainTests",
        dependencies: ["VDPAMemory", "VDPASimulator", "IOVAAllocator", "TestSupport"],
        path: "DomainTests", swiftSettings: strict),
]

let package = Package(
    name: "thread-sanitizer",
    targets: Context.environment["VDPA_SPACE_ONLY"] == "1" ? space : space + others)
