internal import Foundation

/// One hugetlb pool of the kernel.
public struct HugePagePool: Encodable, Sendable {
    public let pageBytes: Int
    public let total: Int
    public let free: Int

    private enum CodingKeys: String, CodingKey {
        case pageBytes = "page_bytes"
        case total, free
    }

    static func all() -> [HugePagePool] {
        let root = "/sys/kernel/mm/hugepages"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.compactMap { name -> HugePagePool? in
            let digits = name.drop { !$0.isNumber }.prefix { $0.isNumber }
            guard let kibibytes = Int(digits) else { return nil }
            func count(_ file: String) -> Int {
                Machine.text("\(root)/\(name)/\(file)").flatMap { Int($0) } ?? 0
            }
            return HugePagePool(
                pageBytes: kibibytes << 10, total: count("nr_hugepages"),
                free: count("free_hugepages"))
        }.sorted { $0.pageBytes < $1.pageBytes }
    }
}
