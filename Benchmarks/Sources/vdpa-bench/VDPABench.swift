internal import ArgumentParser
internal import BenchmarkKit

@main
struct VDPABench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vdpa-bench",
        abstract: "Measures the IOVA allocator, mapping, backing memory, and the pool of buffers.",
        subcommands: [
            AllocatorCommand.self, MapCommand.self, CostCommand.self, MemoryCommand.self,
            HeapCommand.self, PoolCommand.self, TranslateCommand.self, BlockCommand.self,
            AllCommand.self,
        ],
        defaultSubcommand: AllCommand.self)
}

struct AllocatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "allocator",
        abstract: "The IOVA space alone: churn (W1, W2; two threads W1-2T), fill and drain (W3),"
            + " look-up (W4), best fit (W5).",
        discussion: "Benchmarks/README.md says what each case does.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var sizes: AllocatorSizes

    func run() throws {
        let session = try Session(common)
        try session.runAllocator(sizes, cases: AllocatorCase.allCases)
        try session.finish()
    }
}

struct MapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "Small regions mapped one by one, in one batch, in coalesced extents.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var sizes: MapSizes

    func run() throws {
        let session = try Session(common)
        try session.runMap(sizes)
        try session.finish()
    }
}

struct CostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cost",
        abstract: "What the library itself takes for a region, on a device that only answers.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var sizes: CostSizes

    func run() throws {
        let session = try Session(common)
        try session.runCost(sizes)
        try session.finish()
    }
}

struct MemoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory", abstract: "Populating backing memory, per page size.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var sizes: MemorySizes

    func run() throws {
        let session = try Session(common)
        try session.runMemory(sizes)
        try session.finish()
    }
}

struct HeapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heap",
        abstract: "Blocks of 64 to 1024 bytes given back and taken from a heap that is 80 % full.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var sizes: HeapSizes

    func run() throws {
        let session = try Session(common)
        try session.runHeap(sizes)
        try session.finish()
    }
}

struct PoolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool",
        abstract: "Buffers taken and given back by one thread, by two, and from one to the other.")

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common)
        try session.runPool()
        try session.finish()
    }
}

struct TranslateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "translate",
        abstract: "Address to IOVA and back, also while another thread maps.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var sizes: TranslateSizes

    func run() throws {
        let session = try Session(common)
        try session.runTranslate(sizes)
        try session.finish()
    }
}

struct BlockCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "blk",
        abstract: "Reads of a block device, mapped for each request and from a pool.",
        discussion: "It never writes to the disk. A VDUSE device wants --depth 1.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var sizes: BlockSizes

    func run() throws {
        let session = try Session(common)
        try session.runBlock(sizes)
        try session.finish()
    }
}

struct AllCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all",
        abstract: "Every suite, one after the other; not blk, which needs a block device.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var allocator: AllocatorSizes
    @OptionGroup var map: MapSizes
    @OptionGroup var cost: CostSizes
    @OptionGroup var heap: HeapSizes
    @OptionGroup var memory: MemorySizes
    @OptionGroup var translate: TranslateSizes

    func run() throws {
        let session = try Session(common)
        try session.runAllocator(allocator, cases: AllocatorCase.standard)
        try session.runMap(map)
        try session.runCost(cost)
        try session.runHeap(heap)
        try session.runPool()
        try session.runTranslate(translate)
        try session.runMemory(memory)
        try session.finish()
    }
}
