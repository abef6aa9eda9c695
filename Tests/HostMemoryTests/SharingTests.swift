import CTestSupport
import Glibc
import HostMemory
import TestSupport
import Testing

/// Memory beyond its owner: in other processes, in core dumps, after its end.
@Suite struct SharingTests {
    private func allocate(
        _ byteCount: Int = 3 << 12, _ change: (inout HostMemory.Options) -> Void = { _ in }
    ) throws -> HostMemory {
        var options = HostMemory.Options()
        change(&options)
        return try HostMemory.allocate(
            byteCount: byteCount, pages: .exactly(.size4KiB), options: options)
    }

    private func bytes(_ memory: borrowing HostMemory) -> UnsafeMutablePointer<UInt8> {
        unsafe memory.baseAddress.assumingMemoryBound(to: UInt8.self)
    }

    @Test func aSecondProcessThatMapsTheDescriptorSharesEveryByte() throws {
        let memory = try allocate()
        let descriptor = try memory.duplicateDescriptor()
        defer { close(descriptor) }
        #expect(ctest_closes_on_exec(descriptor) == 1)
        #expect(descriptor != memory.descriptor)
        let last = UInt64(memory.byteCount - 1)
        let answer = unsafe ctest_exchange(
            descriptor, 0, UInt64(memory.byteCount), last, bytes(memory))
        #expect(answer == 0)
        #expect(unsafe (bytes(memory)[0], bytes(memory)[Int(last)]) == (0x30, 0x31))
    }

    @Test func whoeverHasTheDescriptorCannotCutPagesOff() throws {
        let memory = try allocate()
        let descriptor = try memory.duplicateDescriptor()
        defer { close(descriptor) }
        #expect(ctest_truncate(descriptor, 0) == -EPERM)
        #expect(ctest_truncate(descriptor, 1 << 20) == -EPERM)
        let again = try memory.duplicateDescriptor()
        #expect(close(again) == 0, "a file that is sealed already is exported again")
    }

    @Test(arguments: [SystemCall.seal, .duplicate])
    func anExportThatIsRefusedSaysWhichCallAndLeavesNoDescriptor(call: SystemCall) throws {
        let name = Footprint.uniqueName()
        let memory = try allocate {
            $0.name = name
            $0.system = SystemCalls { $0 == call ? EMFILE : nil }
        }
        let before = try Footprint(of: name)
        do throws(HostMemoryError) {
            let descriptor = try memory.duplicateDescriptor()
            Issue.record("descriptor \(descriptor)")
        } catch {
            #expect(error.call == call && error.errorNumber == EMFILE)
        }
        #expect(try Footprint(of: name) == before)
        #expect(memory.byteCount == 3 << 12)
    }

    @Test func aForkedChildHasAHoleUnlessItInherits() throws {
        for isInherited in [false, true] {
            let memory = try allocate { $0.isInheritedByFork = isInherited }
            #expect(unsafe ctest_child_reads(bytes(memory)) == (isInherited ? 1 : 0))
        }
    }

    @Test func zerosAreWrittenOverEveryByteThatAnotherMappingSees() throws {
        // Several chunks, so that several threads write.
        let memory = try allocate(130 << 20)
        let descriptor = try memory.duplicateDescriptor()
        defer { close(descriptor) }
        let size = UInt64(memory.byteCount)
        guard let other = unsafe ctest_map(descriptor, size) else {
            Issue.record("the descriptor is not mapped")
            return
        }
        defer { unsafe ctest_unmap(other, size) }
        let places = [0, 64 << 20 - 1, 64 << 20, 128 << 20, memory.byteCount - 1]
        for place in places { unsafe bytes(memory)[place] = 0x77 }
        #expect(places.allSatisfy { unsafe other[$0] == 0x77 })
        memory.overwriteWithZeros()
        #expect(places.allSatisfy { unsafe other[$0] == 0 })
    }

    @Test func ordinaryPagesAreOrdinaryWhateverTheKernelGivesUnasked() throws {
        let memory = try allocate(4 << 20)
        let flags = unsafe MappedMemory.flags(at: UInt(bitPattern: memory.baseAddress))
        #expect(flags?.contains("nh") == true)
        #expect(memory.pageSize == .size4KiB)
    }
}
