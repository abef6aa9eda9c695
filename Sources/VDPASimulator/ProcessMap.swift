/// One line of /proc/self/maps.
struct MemoryMapArea: Equatable {
    var first: UInt
    /// The address after the last byte, as in the file.
    var end: UInt
    var isReadable: Bool
    var isWritable: Bool
    /// Backed by a file and VM_SHARED: what a parent that maps by virtual address can use.
    var isSharedFile: Bool
}

/// The process's address space, read anew for each UPDATE: what the kernel's find_vma would see.
struct ProcessMap {
    private(set) var areas: [MemoryMapArea] = []

    /// The areas that end after `address`, up to the first that starts at `end` or later.
    static func read(from address: UInt, to end: UInt) -> ProcessMap {
        var map = ProcessMap()
        ProcessMemory.forEachLine(of: "/proc/self/maps") { line in
            guard let area = parse(line), area.end > address else { return true }
            map.areas.append(area)
            return area.first < end
        }
        return map
    }

    /// find_vma: the first area that ends after `address`; it may start after it, too.
    func area(endingAfter address: UInt) -> MemoryMapArea? {
        areas.first { $0.end > address }
    }

    /// Whether every byte lies in areas that allow the access: what pin_user_pages asks.
    func allows(_ address: UInt, count: UInt, writing: Bool) -> Bool {
        let (end, overflow) = address.addingReportingOverflow(count)
        guard !overflow else { return false }
        var next = address
        while next < end {
            guard let area = area(endingAfter: next), area.first <= next,
                writing ? area.isWritable : area.isReadable
            else { return false }
            next = area.end
        }
        return true
    }

    /// `first-end perms offset device inode path`, byte by byte: it is read for each UPDATE.
    private static func parse(_ line: ArraySlice<UInt8>) -> MemoryMapArea? {
        var index = line.startIndex
        let first = hexadecimal(line, &index)
        let end = hexadecimal(line, &index)
        // [vsyscall], in the upper half, is no VMA.
        guard index + 4 <= line.endIndex, first < 1 << 63, end > first else { return nil }
        let isWritable = line[index + 1] == UInt8(ascii: "w")
        // The letter s stands for VM_MAYSHARE. VM_SHARED goes where the file was opened read-only,
        // and only smaps tells; a writable area has it for certain.
        let mayShare = line[index + 3] == UInt8(ascii: "s")
        let bounds = line[line.startIndex..<index]
        return MemoryMapArea(
            first: first, end: end, isReadable: line[index] == UInt8(ascii: "r"),
            isWritable: isWritable,
            isSharedFile: mayShare && (isWritable || hasSharedFlag(areaAt: Array(bounds))))
    }

    /// Whether smaps lists `sh` (VM_SHARED) for the area that starts with these bounds.
    private static func hasSharedFlag(areaAt bounds: [UInt8]) -> Bool {
        var isThisArea = false
        var isShared = false
        ProcessMemory.forEachLine(of: "/proc/self/smaps") { line in
            if line.starts(with: bounds) { isThisArea = true }
            guard isThisArea, line.starts(with: "VmFlags:".utf8) else { return true }
            isShared = line.split(separator: 32).contains { $0.elementsEqual("sh".utf8) }
            return false
        }
        return isShared
    }

    /// The number at `index`, which moves past the one character that ends it.
    private static func hexadecimal(_ line: ArraySlice<UInt8>, _ index: inout Int) -> UInt {
        var value: UInt = 0
        while index < line.endIndex {
            let byte = line[index]
            index += 1
            switch byte {
            case 48...57: value = value << 4 | UInt(byte - 48)
            case 97...102: value = value << 4 | UInt(byte - 87)
            default: return value
            }
        }
        return value
    }
}
