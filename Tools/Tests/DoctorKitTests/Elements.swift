import Foundation

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Looks into SVG as an XML parser sees it.
final class Elements: NSObject, XMLParserDelegate {
    struct Rectangle {
        let style: String
        let start: Double
        let width: Double
    }

    struct Malformed: Error { let line: Int }

    private var counts: [String: Int] = [:]
    private var rectangles: [Rectangle] = []

    /// How many elements there are of each name.
    static func parse(_ text: String) throws -> [String: Int] { try read(text).counts }

    /// Those with a class, in the order of the file.
    static func rectangles(_ text: String) throws -> [Rectangle] { try read(text).rectangles }

    private static func read(_ text: String) throws -> Elements {
        let elements = Elements()
        let parser = XMLParser(data: Data(text.utf8))
        parser.delegate = elements
        guard parser.parse() else { throw Malformed(line: parser.lineNumber) }
        return elements
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
    ) {
        counts[name, default: 0] += 1
        guard name == "rect", let style = attributes["class"], let start = attributes["x"],
            let width = attributes["width"]
        else { return }
        rectangles.append(
            Rectangle(style: style, start: Double(start) ?? -1, width: Double(width) ?? -1))
    }
}
