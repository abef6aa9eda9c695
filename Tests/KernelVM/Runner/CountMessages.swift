import Conformance
import VDPAMemory

/// Changes a domain in every way there is, and answers how many messages the library says it sent:
/// updates, invalidations, begins and ends of batches.
func countMessages(on machine: KernelMachine) throws -> UInt64 {
    let device = try machine.openDevice()
    let domain = try DMADomain(
        device, options: .init(unmapping: .deferred(maximumBytes: 1 << 30)))
    let small = try domain.batch { batch throws(DMAError) in
        var ids: [RegionID] = []
        for _ in 0..<500 { ids.append(try batch.allocate(byteCount: 4096)) }
        for _ in 0..<5 {
            ids.append(try batch.allocate(byteCount: 8192, options: .init(isolation: .dedicated)))
        }
        return ids
    }
    let single = try domain.allocate(byteCount: 2 << 20)
    try single.free()
    try domain.flush()
    // Refused before any message: nothing to see.
    do {
        _ = try domain.allocate(
            byteCount: 4096, options: .init(placement: .fixed(IOVA(1 << 20 + 1))))
        throw RunnerError("a place between two pages was taken")
    } catch let error as DMAError where error.kernelErrno == nil {}
    let last = try domain.batch { batch throws(DMAError) in
        for id in small { try batch.free(id) }
        return try batch.allocate(byteCount: 4096, options: .init(isolation: .dedicated))
    }
    try device.reset()
    try domain.remap()
    try domain.free(last)
    // Everything goes, so that closing has nothing to send after the look at the figure.
    try domain.trim()
    let counted = domain.statistics.messages
    guard counted > 20 else { throw RunnerError("only \(counted) messages") }
    guard domain.statistics.mappedBytes == 0 else { throw RunnerError("not everything has gone") }
    return counted
}
