internal import ArgumentParser
internal import BenchmarkKit

/// Options of every suite.
struct CommonOptions: ParsableArguments {
    @Option(help: "A vhost-vdpa device, such as /dev/vhost-vdpa-0. Simulated where not given.")
    var device: String?

    @Option(help: "Write the machine and all rows to this file as JSON.")
    var json: String?

    @Option(help: "Write curves, tables and the machine to this file as one HTML page.")
    var html: String?

    @Flag(help: "A smoke run of under 20 seconds: every path, no figure to rely on.")
    var quick = false

    @Option(help: "The seed of every random choice.")
    var seed: UInt64 = 42

    @Option(help: "Runs of each case; the best one is the row (default 3, with --quick 1).")
    var repetitions: Int?

    func validate() throws {
        if let repetitions, repetitions < 1 {
            throw ValidationError("--repetitions is at least 1.")
        }
    }
}

/// Sizes of the suite `allocator`.
struct AllocatorSizes: ParsableArguments {
    @Option(
        name: .customLong("n"), parsing: .upToNextOption,
        help: "Live regions (default 1000 10000 100000 1000000; with --quick 1000 10000).")
    var slotCounts: [Int] = []

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Cases by name: \(AllocatorCase.allCases.map(\.rawValue).joined(separator: " ")).",
            discussion: """
                The suite by itself measures all of them; `all` leaves out the size distributions
                other than W1's: W1-4k to W2-drift.
                """),
        transform: { name in
            guard let known = AllocatorCase(rawValue: name) else {
                throw ValidationError("--cases: no case is called \(name).")
            }
            return known
        })
    var cases: [AllocatorCase] = []

    @Option(help: "Steps timed in blocks of 256.")
    var steps: Int?

    @Option(help: "Steps timed one by one.")
    var singleSteps: Int?

    @Option(help: "Seconds after which a phase is cut.")
    var phaseSeconds: Double?

    func validate() throws {
        if let phaseSeconds, !(phaseSeconds > 0 && phaseSeconds <= 3600) {
            throw ValidationError("--phase-seconds is above 0 and at most 3600.")
        }
        if let singleSteps, singleSteps < 0 {
            throw ValidationError("--single-steps is not negative.")
        }
    }
}

/// Sizes of the suite `memory`.
struct MemorySizes: ParsableArguments {
    @Option(help: "MiB populated per page size (default 1024; with --quick 64).")
    var mebibytes: Int?

    @Option(
        help:
            "Threads that populate, the library's and the kernel's (default: processors, up to 8).")
    var threads: Int?

    func validate() throws {
        if let threads, !(1...64).contains(threads) {
            throw ValidationError("--threads is at least 1 and at most 64.")
        }
        if let mebibytes, !(1...(1 << 30)).contains(mebibytes) {
            throw ValidationError("--mebibytes is at least 1 and at most 2^30.")
        }
    }
}

/// Sizes of the suite `cost`.
struct CostSizes: ParsableArguments {
    @Option(help: "Regions of 4 KiB carved from shared extents (default 50000; with --quick 2000).")
    var carved: Int?

    @Option(help: "Extents mapped in one batch (default 2000; with --quick 200).")
    var extents: Int?
}

/// Sizes of the suite `heap`.
struct HeapSizes: ParsableArguments {
    @Option(
        name: .customLong("blocks"), parsing: .upToNextOption,
        help: "Live blocks (default 1000 100000; with --quick 1000).")
    var slotCounts: [Int] = []
}

/// Sizes of the suite `translate`.
struct TranslateSizes: ParsableArguments {
    @Option(
        parsing: .upToNextOption,
        help: "Regions of 64 MiB (default 8 64 512 4096; with --quick 8 64).")
    var translated: [Int] = []
}

/// Sizes of the suite `map`.
struct MapSizes: ParsableArguments {
    @Option(
        help: "Regions of 4 KiB carved from shared extents (default 10000; with --quick 1000).")
    var regions: Int?

    @Option(
        help: "Regions with a message or an entry each, at most (default 2000; with --quick 200).")
    var singles: Int?

    func validate() throws {
        for count in [regions, singles].compactMap(\.self) where !(1...(1 << 24)).contains(count) {
            throw ValidationError("--regions and --singles are at least 1 and at most 2^24.")
        }
    }
}

/// Sizes of the suite `blk`.
struct BlockSizes: ParsableArguments {
    @Option(help: "Read requests of each way (default 2000; with --quick 200).")
    var requests: Int?

    @Option(help: "Requests that the device has at a time (default 16; 1 for a VDUSE device).")
    var depth: Int?

    @Option(help: "Bytes of a request, whole pages (default 4096).")
    var bytes: Int?

    @Option(
        parsing: .upToNextOption,
        help: "Ways by name: \(BlockSuite.wayNames.joined(separator: " ")).")
    var ways: [String] = []

    func validate() throws {
        for way in ways where !BlockSuite.wayNames.contains(way) {
            throw ValidationError("--ways: no way is called \(way).")
        }
    }
}
