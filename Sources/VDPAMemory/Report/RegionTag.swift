internal import Synchronization

/// Who owns a region, for reports: a short text that is kept once per process, so that a region
/// holds two bytes of it, and a tagged allocation costs what an untagged one does.
///
/// ```swift
/// extension RegionTag { static let receive = RegionTag("receive ring") }
/// let region = try domain.allocate(byteCount: 4096, options: .init(tag: .receive))
/// ```
///
/// Making one from its text takes a lock and a look in a table: make it once and keep it. Two made
/// from one text are equal. A process can have 65 534 texts, which are never given up; every text
/// after them is `RegionTag.other`.
public struct RegionTag: Hashable, Sendable {
    package let number: UInt16

    /// No tag: what a region has where none is given.
    public static var none: RegionTag { RegionTag(number: 0) }
    /// Stands for every text that came when the table was full.
    public static var other: RegionTag { RegionTag(number: .max) }
    /// The most bytes of UTF-8 that a text keeps: more is cut off, at a character's border.
    public static let maximumByteCount = 64

    private init(number: UInt16) { self.number = number }

    /// The tag of a text; the empty text is `none`.
    ///
    /// - Complexity: O(length), under a lock of the process. Any thread. No system call.
    public init(_ text: String) {
        self = RegionTag.table.withLock { RegionTag(number: $0.number(of: RegionTag.cut(text))) }
    }

    /// The text: empty for `none`.
    ///
    /// - Complexity: O(1), under a lock of the process.
    public var text: String { RegionTag.table.withLock { $0.text(of: number) } }

    private static let table = Mutex(TagTable())

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > maximumByteCount else { return text }
        var kept = text.prefix(maximumByteCount)
        while kept.utf8.count > maximumByteCount { kept.removeLast() }
        return String(kept)
    }
}

extension RegionTag: ExpressibleByStringLiteral {
    /// The tag of a text: see `init(_:)`.
    public init(stringLiteral text: String) { self.init(text) }
}

extension RegionTag: CustomStringConvertible {
    public var description: String { text.isEmpty ? "untagged" : text }
}

/// The texts of a process by number, and the other way round.
package struct TagTable {
    private var texts: [String] = [""]
    private var numbers: [String: UInt16] = ["": 0]
    private let capacity: Int

    /// - Parameter capacity: how many texts there may be, the empty one included.
    package init(capacity: Int = Int(UInt16.max)) { self.capacity = capacity }

    package mutating func number(of text: String) -> UInt16 {
        if let number = numbers[text] { return number }
        guard texts.count < capacity else { return .max }
        let number = UInt16(texts.count)
        texts.append(text)
        numbers[text] = number
        return number
    }

    package func text(of number: UInt16) -> String {
        Int(number) < texts.count ? texts[Int(number)] : "other tags"
    }
}
