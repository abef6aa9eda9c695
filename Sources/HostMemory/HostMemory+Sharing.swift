internal import Glibc

// What happens to memory beyond its owner's use: other processes, and what it held.
extension HostMemory {
    /// A new descriptor of the memfd for somebody else to own, close-on-exec: byte 0 of the file is
    /// the first byte of the memory, and nothing but this memory is in it. The file's size is
    /// sealed, so that no one who gets it can cut pages off (F_SEAL_SHRINK, F_SEAL_GROW).
    ///
    /// System calls: fcntl(2) twice.
    package borrowing func duplicateDescriptor() throws(HostMemoryError) -> Int32 {
        try file.duplicate()
    }

    /// Writes zeros over all of it, also where another process has the descriptor.
    ///
    /// Pages that such a process has punched out are made anew first, so that writing them is no
    /// SIGBUS; where they cannot be, there is nothing left to write over.
    ///
    /// - Complexity: O(bytes), on as many threads as populating would take.
    package borrowing func overwriteWithZeros() {
        let (address, system) = (mapping.address, self.system)
        let chunk = Population.chunkByteCount(pages: pageSize)
        ChunkedWork.overAllThreads(byteCount: byteCount, chunk: chunk) { offset, size in
            let first = address + UInt(offset)
            guard Populator.populate(first, size, system) >= 0 else { return 0 }
            // Safe: inside the mapping, whose owner is this value, and whose pages are there.
            unsafe _ = memset(UnsafeMutableRawPointer(bitPattern: first)!, 0, size)
            return 0
        }
    }
}
