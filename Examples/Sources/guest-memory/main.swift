import Foundation
import VDPAMemory
import VDPASimulator

// A VMM's side of vDPA: guest memory at its guest physical addresses, all slots or none; a slot
// unplugged and plugged in again; a reset survived. The memory here is shared anonymous memory, as
// guest memory for a device that maps by virtual address must be.

struct Slot {
    let guestAddress: UInt64
    let memory: UnsafeMutableRawBufferPointer

    init(guestAddress: UInt64, byteCount: Int) {
        self.guestAddress = guestAddress
        let memory = mmap(
            nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)!
        precondition(memory != MAP_FAILED, "no memory for a slot")
        self.memory = UnsafeMutableRawBufferPointer(start: memory, count: byteCount)
    }
}

let simulated = SimulatedDevice(.vpVDPA())
let device = try VDPADevice(simulated)
let domain = try DMADomain(device, options: .init(regionCapacity: 1024))

// Guest memory starts at 0 and has a hole below 4 GiB.
let slots = (0..<300).map { index in
    Slot(guestAddress: UInt64(index) * (2 << 20), byteCount: 1 << 20)
}
var ids: [RegionID] = []
try domain.batch { batch throws(DMAError) in
    for slot in slots {
        ids.append(try batch.register(slot.memory, at: .fixed(IOVA(slot.guestAddress))))
    }
}
print("\(ids.count) slots mapped in \(domain.statistics.messages) messages")
precondition(simulated.write([7], at: IOVA(slots[299].guestAddress)))
precondition(slots[299].memory[0] == 7)

// A slot that cannot be mapped: the whole batch is refused, and the error says which one.
do {
    try domain.batch { batch throws(DMAError) in
        _ = try batch.register(slots[0].memory, at: .fixed(IOVA(4 << 30)))
        _ = try batch.register(slots[1].memory, at: .fixed(IOVA(slots[5].guestAddress)))
    }
    preconditionFailure("an overlap was mapped")
} catch {
    print("refused:", error)
    precondition(error.operationIndex == 1)
}
precondition(!simulated.write([7], at: IOVA(4 << 30)), "nothing of the batch has happened")

// Hot-unplug and plug.
try domain.unregister(ids[10])
precondition(!simulated.write([7], at: IOVA(slots[10].guestAddress)))
try domain.batch { batch throws(DMAError) in
    ids[10] = try batch.register(slots[10].memory, at: .fixed(IOVA(slots[10].guestAddress)))
}

// The guest's driver resets the device; afterwards its table is what it was.
try device.reset()
try domain.remap()
for slot in slots { precondition(simulated.write([1], at: IOVA(slot.guestAddress))) }
print("after a reset every slot is reachable")
