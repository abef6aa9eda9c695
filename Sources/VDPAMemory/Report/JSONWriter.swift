/// Writes JSON text without Foundation, which the library does not bring along.
///
/// The caller vouches for the structure: each `member` inside an `object`, each name once.
struct JSONWriter {
    private(set) var text = ""
    private var needsComma = false
    private var arrayDepth = 0

    /// `{ ... }`, its members by `body`.
    mutating func object(_ body: (inout JSONWriter) -> Void) {
        separate()
        text += "{"
        needsComma = false
        body(&self)
        text += "}"
        needsComma = true
    }

    /// `[ ... ]`: one element a line, but for arrays inside arrays.
    mutating func array<Element>(
        _ elements: [Element], _ body: (inout JSONWriter, Element) -> Void
    ) {
        separate()
        text += "["
        needsComma = false
        arrayDepth += 1
        for element in elements {
            if arrayDepth == 1 {
                text += needsComma ? ",\n  " : "\n  "
                needsComma = false
            }
            body(&self, element)
        }
        arrayDepth -= 1
        text += "]"
        needsComma = true
    }

    /// The name of a member, whose value comes next.
    mutating func name(_ name: String) {
        separate()
        quote(name)
        text += ": "
        needsComma = false
    }

    mutating func string(_ value: String) {
        separate()
        quote(value)
        needsComma = true
    }

    mutating func number(_ value: some BinaryInteger) {
        separate()
        text += "\(value)"
        needsComma = true
    }

    mutating func bool(_ value: Bool) {
        separate()
        text += value ? "true" : "false"
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { text += ", " }
    }

    /// RFC 8259, section 7: quotation mark, backslash and the control characters are escaped.
    private mutating func quote(_ value: String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

extension JSONWriter {
    mutating func member(_ name: String, _ value: String) {
        self.name(name)
        string(value)
    }

    mutating func member(_ name: String, _ value: some BinaryInteger) {
        self.name(name)
        number(value)
    }

    mutating func member(_ name: String, _ value: Bool) {
        self.name(name)
        bool(value)
    }

    /// Left out where there is no value.
    mutating func member(_ name: String, _ value: (some BinaryInteger)?) {
        if let value { member(name, value) }
    }
}
