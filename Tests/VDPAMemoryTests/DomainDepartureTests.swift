import Glibc
import TestSupport
import Testing
import VDPASimulator

@testable import VDPAMemory

/// What is left of a device that was detached, or that did not come to be attached.
@Suite("Devices that have left")
struct DomainDepartureTests {
    private func addresses(in first: IOVA) -> VringAddresses {
        VringAddresses(
            descriptors: first, available: IOVA(first.rawValue + 0x400),
            used: IOVA(first.rawValue + 0x800))
    }

    @Test func `a ring of a device that was detached without unmapping is not vouched for`()
        throws
    {
        let world = try DomainWorld()
        let device = try VDPADevice(SimulatedDevice(.vdpaSimNet()))
        try world.domain.attach(device)
        let early = try world.domain.allocate(byteCount: 2 << 20)
        try device.setQueueSize(16, ofQueue: 0)
        try device.setRingAddresses(addresses(in: early.iova), ofQueue: 0)
        try world.domain.detach(device, unmapping: false)
        let late = try world.domain.allocate(byteCount: 2 << 20)
        // Not mapped there; and what was mapped before is not kept from being freed any more.
        for first in [late.iova, early.iova] {
            let answer = try world.refusal { () throws(DMAError) in
                try device.setRingAddresses(addresses(in: first), ofQueue: 0)
            }
            #expect(answer.error.code == .unsafeControl)
        }
        let answer = try world.refusal { () throws(DMAError) in
            try device.setQueueEnabled(true, ofQueue: 0)
        }
        #expect(answer.error.code == .unsafeControl)
    }

    @Test func `an old device whose undo fails does not cost the new one its address space`()
        throws
    {
        let world = try DomainWorld(
            .vdpaSimNet(), .init(unmapping: .deferred(maximumBytes: 1 << 40)))
        try world.domain.allocate(byteCount: 2 << 20).free()
        let old = world.simulator
        // The flush's INVALIDATE, and the one of its undo behind a BATCH_BEGIN.
        for number in [1, 3] { old.failCall(old.calls + number, errno: EIO) }
        let new = SimulatedDevice(.vdpaSimNet())
        let device = try VDPADevice(new)
        let calls = new.calls
        let answer = try world.refusal { () throws(DMAError) in try world.domain.attach(device) }
        #expect(answer.error.code == .undoIncomplete && new.calls == calls)
        try world.domain.remap()
        try world.domain.attach(device)
        #expect(world.domain.attachments.count == 2)
    }

    @Test func `memory that a refused attach has flushed is not given back under the lock`()
        throws
    {
        let world = try DomainWorld(
            .vdpaSimNet(), .init(unmapping: .deferred(maximumBytes: 1 << 40)))
        let region = try world.domain.allocate(byteCount: 2 << 20)
        // Safe: the address is only looked up.
        let address = unsafe UInt(bitPattern: region.address)
        _ = try world.allocate(2, byteCount: 2 << 20)
        try region.free()
        var configuration = SimulatedDevice.Configuration.vdpaSimNet()
        configuration.entryLimit = 1
        let device = try VDPADevice(SimulatedDevice(configuration))
        let isMapped = world.domain.look(inChild: false) { state in
            let target = MappingTarget(device, addressSpace: 0)
            do throws(DMAError) {
                _ = try state.attach(target)
                Issue.record("it was not refused")
            } catch {
                #expect(error.code == .entryLimit)
            }
            return MappedMemory.flags(at: address) != nil
        }
        #expect(isMapped && MappedMemory.flags(at: address) == nil)
        #expect(world.domain.statistics.quarantinedExtents == 0)
    }

    @Test func `messages to a device that has left, or was refused, stay counted`() throws {
        let world = try DomainWorld()
        _ = try world.allocate(3, byteCount: 2 << 20)
        let other = SimulatedDevice(.vdpaSimNet())
        let device = try VDPADevice(other)
        other.failCall(other.calls + 3, errno: EFAULT)
        let refused = try world.refusal { () throws(DMAError) in try world.domain.attach(device) }
        #expect(refused.messages > 0)
        var last = world.messages
        try world.domain.attach(device)
        #expect(world.messages > last)
        last = world.messages
        try world.domain.detach(device)
        #expect(world.messages > last)
        let kinds: [IOTLBMessageKind] = [.update, .invalidate, .batchBegin, .batchEnd]
        let sent = [world.simulator, other].reduce(0) { sum, device in
            sum + kinds.reduce(0) { $0 + device.messageCount($1) }
        }
        #expect(world.messages == sent)
    }

    @Test func `areas that were split since do not make the old device's entries drift`() throws {
        let world = try DomainWorld(.vduse())
        let memory = SharedMemory(pages: 8)
        let region = try unsafe world.domain.register(memory.pages(0, count: 4))
        #expect(world.domain.statistics.entriesAtLeast == 1)
        // Three areas from here on.
        _ = unsafe madvise(memory.pages(1).baseAddress, 4096, MADV_DONTDUMP)
        var small = SimulatedDevice.Configuration.vduse()
        small.entryLimit = 2
        let refused = try world.refusal { () throws(DMAError) in
            try world.domain.attach(try VDPADevice(SimulatedDevice(small)))
        }
        #expect(refused.error.code == .entryLimit && refused.error.needed == 3)
        let device = try VDPADevice(SimulatedDevice(.vduse()))
        try world.domain.attach(device)
        #expect(world.domain.statistics.entriesAtLeast == 3)
        try region.free()
        try world.domain.detach(device)
        #expect(world.domain.statistics.entriesAtLeast == 0)
        #expect(world.domain.statistics.entriesAtMost == 0)
    }
}
