import VDPAMemory
import VDPASimulator

// The README's five lines, on a simulated device: the public interface only, as any package
// outside this one would use it.

func run() throws {
    let device = try VDPADevice.simulated()
    let domain = try DMADomain(device)
    let region = try domain.allocate(byteCount: 64 << 20)
    let pool = try DMABufferPool(region, bufferSize: 2048)
    guard let buffer = pool.take() else { fatalError("a new pool has no buffer") }
    print("consumer: a buffer at \(buffer.iova), inside \(domain.range)")
    pool.give(buffer)
}

try run()
