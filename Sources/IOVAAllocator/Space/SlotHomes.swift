/// Which thread a free slot goes back to, where threads share a space.
///
/// Four slots share a cache line, and a free or an allocation writes one of them: two threads whose
/// slots lie in one line would take it from each other every time, which was measured to cost half
/// of what the second thread brings. So each thread number has slots in whole chunks of its own,
/// for ever: a slot that is free again waits in the list of its home.
///
/// Who may touch what: as the handle table, one owner at a time.
@safe
struct SlotHomes: ~Copyable {
    /// Slots in a chunk: whole pairs of cache lines, which processors fetch together.
    static var chunk: Int { 16 }
    /// The thread numbers, and one for all threads without.
    static var count: Int { ThreadCaches.capacity + 1 }
    static var nobody: Int { ThreadCaches.capacity }

    private let heads: UnsafeMutablePointer<UInt32>
    /// The home of each chunk, a UInt16.
    private var homes: MetadataBlock
    /// Who takes slots at present.
    private(set) var current = SlotHomes.nobody

    init(capacity: Int, _ options: IOVAMetadataOptions) {
        unsafe heads = .allocate(capacity: Self.count)
        unsafe heads.initialize(repeating: .max, count: Self.count)
        homes = MetadataBlock.make(
            byteCount: Self.homesByteCount(capacity), populated: 0, options)
    }

    deinit { unsafe heads.deallocate() }

    /// The memory for the homes of so many slots; nil where there is none.
    static func block(capacity: Int, _ options: IOVAMetadataOptions) -> MetadataBlock? {
        MetadataBlock.allocate(byteCount: homesByteCount(capacity), populated: 0, options)
    }

    private static func homesByteCount(_ capacity: Int) -> Int { (capacity / chunk + 1) * 2 }

    /// The bytes of the homes of so many slots, and of the lists.
    static func byteCount(slots: Int) -> Int {
        homesByteCount(slots) + count * MemoryLayout<UInt32>.stride
    }

    /// Moves the homes of the first `count` slots to a larger block.
    mutating func move(to larger: consuming MetadataBlock, count: Int) {
        larger.copy(from: homes, byteCount: Self.homesByteCount(count))
        homes = larger
    }

    /// Changes who takes slots: puts that one's list away and answers the other one's.
    mutating func change(to home: Int, puttingAway head: UInt32) -> UInt32 {
        precondition(home < Self.count)
        unsafe heads[current] = head
        current = home
        return unsafe heads[home]
    }

    /// Makes the chunk that starts at a slot one of the present taker's.
    func claimChunk(startingAt slot: UInt32) {
        // In bounds: the table's slots are below the capacity.
        unsafe homes.base.storeBytes(
            of: UInt16(current), toByteOffset: Int(slot) / Self.chunk * 2, as: UInt16.self)
    }

    /// The home of a slot that was taken before.
    func home(of slot: UInt32) -> Int {
        unsafe Int(
            homes.base.load(fromByteOffset: Int(slot) / Self.chunk * 2, as: UInt16.self))
    }

    /// Puts a slot on top of a home's list; answers what it links to.
    func put(_ slot: UInt32, in home: Int) -> UInt32 {
        let below = unsafe heads[home]
        unsafe heads[home] = slot
        return below
    }

    /// The list of somebody who has one, taken from him; .max where nobody has.
    func stealList() -> UInt32 {
        for home in 0..<Self.count where home != current {
            let head = unsafe heads[home]
            guard head != .max else { continue }
            unsafe heads[home] = .max
            return head
        }
        return .max
    }
}
