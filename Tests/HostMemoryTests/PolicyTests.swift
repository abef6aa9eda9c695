import HostMemory
import Testing

@Suite struct PolicyTests {
    @Test(arguments: [
        (1, [PageSize.size4KiB]),
        (4096, [.size4KiB]),
        (2 << 20 - 1, [.size4KiB]),
        (2 << 20, [.size2MiB, .transparent2MiB, .size4KiB]),
        (64 << 20, [.size2MiB, .transparent2MiB, .size4KiB]),
        (1 << 30, [.size1GiB, .size2MiB, .transparent2MiB, .size4KiB]),
        (1 << 30 + 4096, [.size2MiB, .transparent2MiB, .size4KiB]),
        (3 << 30, [.size1GiB, .size2MiB, .transparent2MiB, .size4KiB]),
    ])
    func largestTriesNoPageLargerThanTheRequest(byteCount: Int, sizes: [PageSize]) {
        #expect(PagePolicy.largest.candidates(byteCount: byteCount) == sizes)
    }

    @Test func exactlyAndFirstOfTryWhatTheyName() {
        #expect(PagePolicy.exactly(.size1GiB).candidates(byteCount: 1) == [.size1GiB])
        let order: [PageSize] = [.size4KiB, .size2MiB]
        #expect(PagePolicy.firstOf(order).candidates(byteCount: 1 << 30) == order)
    }

    @Test func placementCountsWhatSpilled() {
        let spilled = NodePlacement(pagesByNode: [0: 16, 1: 64], wantedNodes: [1])
        #expect(spilled.pageCount == 80)
        #expect(spilled.spilledPages == 16)
        #expect(spilled.description.contains("16 spilled from node 1"))
        #expect(NodePlacement(pagesByNode: [0: 16, 1: 64]).spilledPages == 0)
        let both = NodePlacement(pagesByNode: [0: 16, 1: 64], wantedNodes: [0, 1])
        #expect(both.spilledPages == 0)
    }
}
