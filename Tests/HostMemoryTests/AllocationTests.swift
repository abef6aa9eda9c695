import HostMemory
import TestSupport
import Testing

@Suite struct AllocationTests {
    @Test(arguments: [(1, 4096), (4096, 4096), (4097, 8192), (1 << 20, 1 << 20)])
    func ordinaryPagesAreRoundedUpZeroedAndWritable(request: Int, size: Int) throws {
        let memory = try HostMemory.allocate(byteCount: request, pages: .exactly(.size4KiB))
        #expect(memory.byteCount == size)
        #expect(memory.pageSize == .size4KiB)
        #expect(memory.placement.pageCount == size / 4096)
        #expect(memory.placement.unverifiedPages == 0)
        let bytes = unsafe UnsafeMutableRawBufferPointer(
            start: memory.baseAddress, count: memory.byteCount)
        #expect(unsafe UInt(bitPattern: memory.baseAddress) % 4096 == 0)
        #expect(unsafe bytes.allSatisfy { $0 == 0 })
        for index in bytes.indices { unsafe bytes[index] = UInt8(index & 0xff) }
        #expect(unsafe bytes[size - 1] == 0xff)
    }

    @Test func transparentPagesAreAlignedAndProvenOrRefused() throws {
        let byteCount = 8 << 20
        do throws(HostMemoryError) {
            let memory = try HostMemory.allocate(
                byteCount: byteCount, pages: .exactly(.transparent2MiB))
            let address = unsafe UInt(bitPattern: memory.baseAddress)
            #expect(memory.pageSize == .transparent2MiB)
            #expect(address % (2 << 20) == 0)
            #expect(memory.placement.pageCount == 4)
            let line = try? smapsLine("ShmemPmdMapped", at: address)
            #expect(line?.contains(" \(byteCount >> 10) kB") == true)
        } catch {
            #expect(error.code == .pageSizeNotObtained)
            #expect(error.pageSize == .transparent2MiB)
            #expect(error.remedy.contains("compact_memory"))
        }
    }

    @Test func memoryThatIsNotCollapsedCountsAsOrdinaryPages() throws {
        var options = HostMemory.Options()
        options.system = SystemCalls { $0 == .collapse || $0 == .adviseHugepage ? 12 : nil }
        let request = 4 << 20 + 4096
        let memory = try HostMemory.allocate(
            byteCount: request, pages: .firstOf([.transparent2MiB, .size4KiB]), options: options)
        #expect(memory.pageSize == .size4KiB)
        #expect(memory.byteCount == request, "what the larger page would have added is given back")
        #expect(memory.placement.pageCount == request / 4096)
        #expect(memory.earlierAttempts.map(\.code) == [.pageSizeNotObtained])
        #expect {
            _ = try HostMemory.allocate(
                byteCount: request, pages: .exactly(.transparent2MiB), options: options)
        } throws: {
            ($0 as? HostMemoryError)?.code == .pageSizeNotObtained
        }
    }

    @Test func anEmptyPoolIsAnErrorWithFigures() throws {
        let tree = try FileTree.sysfs(freeHugepages: [3, 5])
        var options = HostMemory.Options()
        options.topology = HostTopology(sysfs: tree.path)
        do throws(HostMemoryError) {
            _ = try HostMemory.allocate(
                byteCount: 12 << 20, pages: .exactly(.size2MiB), node: .required(1),
                options: options)
            Issue.record("six pages were had from a pool of five")
        } catch {
            #expect(error.code == .exhausted)
            #expect(error.pageSize == .size2MiB)
            #expect(error.nodes == [1])
            #expect(error.wantedPages == 6)
            #expect(error.freePagesByNode == [0: 3, 1: 5])
            let file = "node1/hugepages/hugepages-2048kB/nr_hugepages"
            #expect(error.remedy.contains("echo 6 > \(tree.path)/devices/system/node/\(file)"))
            #expect("\(error)".contains("wanted 6 pages of 2 MiB"))
        }
    }

    @Test func largestFallsBackAndSaysWhy() throws {
        let tree = try FileTree.sysfs(freeHugepages: [3])
        var options = HostMemory.Options()
        options.topology = HostTopology(sysfs: tree.path)
        let memory = try HostMemory.allocate(byteCount: 8 << 20, node: .any, options: options)
        #expect(memory.earlierAttempts.first?.pageSize == .size2MiB)
        #expect(memory.earlierAttempts.first?.code == .exhausted)
        #expect([.transparent2MiB, .size4KiB].contains(memory.pageSize))
    }

    @Test(arguments: [
        (0, PagePolicy.largest), (-1, .largest), (.max, .largest), (4096, .firstOf([])),
    ])
    func impossibleRequestsAreRefusedBeforeAnyCall(byteCount: Int, pages: PagePolicy) throws {
        var options = HostMemory.Options()
        options.system = SystemCalls { _ in fatalError("a call was made") }
        #expect {
            _ = try HostMemory.allocate(byteCount: byteCount, pages: pages, options: options)
        } throws: {
            ($0 as? HostMemoryError)?.code == .invalidRequest
        }
    }

    @Test func forksAndCoreDumpsLeaveTheMemoryOutAsAsked() throws {
        func flags(_ options: HostMemory.Options) throws -> [Substring] {
            let memory = try HostMemory.allocate(
                byteCount: 4096, pages: .exactly(.size4KiB), options: options)
            let address = unsafe UInt(bitPattern: memory.baseAddress)
            return try smapsLine("VmFlags", at: address)?.split(separator: " ") ?? []
        }
        let standard = try flags(.init())
        #expect(standard.contains("dc"))
        #expect(!standard.contains("dd"))
        var options = HostMemory.Options()
        options.isInheritedByFork = true
        options.isExcludedFromCoreDumps = true
        let changed = try flags(options)
        #expect(!changed.contains("dc"))
        #expect(changed.contains("dd"))
    }
}
