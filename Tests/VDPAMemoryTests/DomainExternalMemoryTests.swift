import CTestSupport
import Glibc
import HostMemory
import Synchronization
import Testing
import VDPAMemory
import VDPASimulator

@Suite("The caller's memory is checked before the device is told")
struct DomainExternalMemoryTests {
    /// Four pages: read-only, without access, past the end of their file, and a hole, one each.
    @safe private final class Flawed {
        enum Flaw: CaseIterable { case readOnly, noAccess, pastTheEnd, hole }

        private static let count = Atomic(0)
        private let base: UnsafeMutableRawPointer
        let bytes: UnsafeMutableRawBufferPointer

        /// The second of three shared pages has the flaw.
        init(_ flaw: Flaw) throws {
            let file = ctest_memfd(flaw == .pastTheEnd ? 4096 : 3 << 12)
            guard file >= 0 else { throw DMAError.cancelled("no memfd") }
            defer { close(file) }
            // Far below where the kernel puts what other tests map at the same time: they would get
            // the hole, and lose it again in deinit.
            let place = 1 << 44 + Flawed.count.wrappingAdd(1, ordering: .relaxed).newValue << 20
            // Safe: a new mapping, unmapped in deinit.
            unsafe base = mmap(
                UnsafeMutableRawPointer(bitPattern: place), 3 << 12, PROT_READ | PROT_WRITE,
                MAP_SHARED | 0x10_0000, file, 0)  // MAP_FIXED_NOREPLACE
            guard unsafe Int(bitPattern: base) == place else {
                throw DMAError.cancelled("the place is taken")
            }
            switch flaw {
            case .readOnly: unsafe mprotect(base + 4096, 4096, PROT_READ)
            case .noAccess: unsafe mprotect(base + 4096, 4096, PROT_NONE)
            case .hole: unsafe munmap(base + 4096, 4096)
            case .pastTheEnd: break
            }
            unsafe bytes = UnsafeMutableRawBufferPointer(start: base, count: 3 << 12)
        }

        deinit { unsafe munmap(base, 3 << 12) }
    }

    @Test(
        "memory with a flaw anywhere in it is refused before any message, on every kind of device")
    func flawsAreRefused() throws {
        for kind in DeviceKind.allCases {
            for flaw in Flawed.Flaw.allCases {
                // A device that maps by address pins nothing, so that a short file is its daemon's.
                if kind == .virtualAddress, flaw == .pastTheEnd { continue }
                let world = try DomainWorld(kind.configuration)
                let memory = try Flawed(flaw)
                let answer = try world.refusal { () throws(DMAError) in
                    _ = try unsafe world.domain.register(memory.bytes)
                }
                #expect(answer.error.code == .unsuitableMemory, "\(kind) \(flaw)")
                #expect(answer.messages == 0)
                #expect(!answer.error.remedy.isEmpty)
                #expect(world.domain.statistics.regions == 0)
            }
        }
    }

    @Test("read-only memory is mapped for a device that only reads", arguments: DeviceKind.allCases)
    func readOnly(kind: DeviceKind) throws {
        let world = try DomainWorld(kind.configuration)
        let memory = try Flawed(.readOnly)
        let page = unsafe UnsafeMutableRawBufferPointer(rebasing: memory.bytes[4096..<8192])
        let region = try unsafe world.domain.register(page, access: .readOnly)
        #expect(world.simulator.read(region.iova, byteCount: 4) == [0, 0, 0, 0])
        #expect(!world.simulator.write([1], at: region.iova))
        for access in [DMAAccess.readWrite, .writeOnly] {
            let answer = try world.refusal { () throws(DMAError) in
                _ = try unsafe world.domain.register(page, access: access)
            }
            #expect(answer.error.code == .unsuitableMemory && answer.messages == 0)
        }
    }

    @Test("every 4 KiB boundary will do, and nothing else")
    func boundaries() throws {
        let world = try DomainWorld()
        let memory = SharedMemory(pages: 8)
        for first in 0..<8 {
            let count = 8 - first
            let region = try unsafe world.domain.register(memory.pages(first, count: count))
            unsafe memory.bytes[first << 12] = UInt8(first)
            #expect(world.simulator.read(region.iova, byteCount: 1) == [UInt8(first)])
        }
        for (offset, count) in [(1, 4096), (0, 4095), (2048, 4096), (0, 0), (4096, 6000)] {
            let part = unsafe UnsafeMutableRawBufferPointer(
                rebasing: memory.bytes[offset..<offset + count])
            let answer = try world.refusal { () throws(DMAError) in
                _ = try unsafe world.domain.register(part)
            }
            #expect(answer.error.code == .unsuitableMemory && answer.messages == 0)
        }
    }

    @Test("a part of a hugepage is registered, its neighbours out of the device's reach")
    func partOfAHugepage() throws {
        let world = try DomainWorld()
        let huge = try HostMemory.allocate(
            byteCount: 4 << 20, pages: .firstOf([.size2MiB, .transparent2MiB, .size4KiB]))
        let offset = 3 << 12
        let part = unsafe UnsafeMutableRawBufferPointer(
            start: huge.baseAddress + offset, count: 2 << 20)
        let region = try unsafe world.domain.register(part)
        let iova = region.iova.rawValue
        #expect(iova % (2 << 20) == UInt64(offset), "IOVA and page agree")
        #expect(world.simulator.write([0x31], at: IOVA(iova + (2 << 20) - 1)))
        // Safe: inside the memory, which lives until the end.
        #expect(
            unsafe huge.baseAddress.load(fromByteOffset: offset + (2 << 20) - 1, as: UInt8.self)
                == 0x31)
        for outside in [iova - 1, iova + (2 << 20)] {
            #expect(!world.simulator.write([1], at: IOVA(outside)))
        }
        #expect(huge.byteCount == 4 << 20)
    }

    @Test("the same memory may be mapped twice, at other addresses; the same address may not")
    func overlappingRegistrations() throws {
        let world = try DomainWorld()
        let memory = SharedMemory(pages: 4)
        let first = try unsafe world.domain.register(
            memory.pages(0, count: 3), at: .fixed(IOVA(0x10_0000)))
        let second = try unsafe world.domain.register(
            memory.pages(1, count: 3), at: .fixed(IOVA(0x20_0000)))
        #expect(world.simulator.write([0x99], at: IOVA(0x10_1000)))
        #expect(world.simulator.read(IOVA(0x20_0000), byteCount: 1) == [0x99])
        for place: UInt64 in [0x10_0000, 0x10_2000, 0xf_f000] {
            let answer = try world.refusal { () throws(DMAError) in
                _ = try unsafe world.domain.register(
                    memory.pages(0, count: 2), at: .fixed(IOVA(place)))
            }
            #expect(answer.error.code == .overlap && answer.messages == 0)
        }
        #expect(first.byteCount == second.byteCount)
    }
}
