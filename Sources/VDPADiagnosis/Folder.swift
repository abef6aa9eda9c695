internal import Glibc

/// Folders and symbolic links, without Foundation.
enum Folder {
    /// The names in a folder, without `.` and `..`; nil where it cannot be read.
    static func names(in path: String) -> [String]? {
        // Safe: the stream lives until closedir; readdir's entry until the next call, and its name
        // is copied before.
        guard let stream = unsafe opendir(path) else { return nil }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
                unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// What a symbolic link says; nil where it is none, or cannot be read.
    static func target(of link: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        // Safe: readlink writes at most the buffer's size.
        let count = unsafe buffer.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return -1 }
            return unsafe readlink(link, base, bytes.count)
        }
        guard count >= 0 else { return nil }
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
