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

    static func current() -> ProcessMap {
        var map = ProcessMap()
        for line in ProcessMemory.contents(of: "/proc/self/maps").split(separator: 10) {
            guard let area = parse(line) else { continue }
            map.areas.append(area)
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

    /// `first-end perms offset device inode path`.
    private static func parse(_ line: ArraySlice<UInt8>) -> MemoryMapArea? {
        let fields = line.split(separator: 32, maxSplits: 5)
        guard fields.count >= 5 else { return nil }
        let bounds = fields[0].split(separator: 45)
        guard bounds.count == 2, let first = hexadecimal(bounds[0]),
            let end = hexadecimal(bounds[1]),
            first < 1 << 63  // [vsyscall] is no VMA
        else { return nil }
        let permissions = Array(fields[1])
        let isWritable = permissions[1] == UInt8(ascii: "w")
        // The letter s stands for VM_MAYSHARE. VM_SHARED goes where the file was opened read-only,
        // and only smaps tells; a writable area has it for certain.
        let mayShare = permissions[3] == UInt8(ascii: "s")
        return MemoryMapArea(
            first: first, end: end, isReadable: permissions[0] == UInt8(ascii: "r"),
            isWritable: isWritable,
            isSharedFile: mayShare && (isWritable || hasSharedFlag(areaAt: fields[0])))
    }

    /// Whether smaps lists `sh` (VM_SHARED) for the area that starts with these bounds.
    private static func hasSharedFlag(areaAt bounds: ArraySlice<UInt8>) -> Bool {
        var isThisArea = false
        for line in ProcessMemory.contents(of: "/proc/self/smaps").split(separator: 10) {
            if line.starts(with: bounds) { isThisArea = true }
            guard isThisArea, line.starts(with: Array("VmFlags:".utf8)) else { continue }
            return line.split(separator: 32).contains { $0.elementsEqual("sh".utf8) }
        }
        return false
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt? {
        UInt(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
