// swift-tools-version: 6.2
import PackageDescription

// The libFuzzer target: a static library, because libFuzzer brings its own `main`, which SwiftPM
// cannot link into an executable. `Scripts/fuzz` builds it with the sanitizers, links and runs it.
//
// The model and the oracles are those of the package's own tests, by symbolic link: they are no
// product of the package, and there is one of each.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
]

let package = Package(
    name: "fuzz",
    products: [.library(name: "SpaceFuzz", type: .static, targets: ["SpaceFuzz"])],
    // The name is given because a clone's folder may be called anything.
    dependencies: [.package(name: "vdpa-memory", path: "../..")],
    targets: [
        // Without what needs Foundation: the archive is linked without its autolink entries.
        .target(name: "TestSupport", exclude: ["FileTree.swift"], swiftSettings: strict),
        .target(
            name: "SpaceFuzz",
            dependencies: [
                "TestSupport", .product(name: "IOVAAllocator", package: "vdpa-memory"),
            ],
            swiftSettings: strict),
    ]
)
