import IOVAAllocator

// The product `IOVAAllocator` alone: a space, a region, a growth.

func run() throws {
    let usable = IOVARange(first: 0x10_0000, last: 0xffff_ffff)
    var space = try IOVASpace(usable: [usable], regionCapacity: 1)
    let region = try space.allocate(byteCount: 64 << 10, placement: .anywhere(.bestFit))
    try space.grow(regionCapacity: 2)
    let other = try space.allocate(byteCount: 4096, guardGaps: .behind(4096))
    print("space-consumer: \(region.range) and \(other.range), inside \(usable)")
    try space.free(region.handle)
    try space.free(other.handle)
}

try run()
