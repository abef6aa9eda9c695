import IOVAAllocator

// Uses the public interface only, as any package outside this one would.
let buffer = IOVARange(first: IOVA(0x20_0000), byteCount: 0x20_0000)
let device = IOVARange(first: 0x1000, last: 0xffff_ffff)
guard let buffer, device.contains(buffer), !buffer.contains(IOVA(0x40_0000)) else {
    fatalError("a range of 2 MiB at 2 MiB is not what it should be")
}
print("consumer: \(buffer) lies in \(device)")
