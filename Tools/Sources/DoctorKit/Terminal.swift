internal import Glibc

/// What text is written for: colours or none, and how wide.
public struct Terminal: Hashable, Sendable {
    public var hasColours: Bool
    /// In columns.
    public var width: Int

    public init(hasColours: Bool, width: Int) {
        self.hasColours = hasColours
        self.width = max(40, width)
    }

    /// Standard output: colours on a terminal, unless NO_COLOR is set to anything (no-color.org)
    /// or TERM is `dumb`; the width from COLUMNS, or the terminal's, or 100.
    public static func current() -> Terminal {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let isPlain = !(variable("NO_COLOR") ?? "").isEmpty || variable("TERM") == "dumb"
        var size = winsize()
        // Safe: the call fills the structure.
        let result = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size)
        let columns = result == 0 && size.ws_col > 0 ? Int(size.ws_col) : 100
        return Terminal(
            hasColours: isTerminal && !isPlain,
            width: variable("COLUMNS").flatMap { Int($0) } ?? columns)
    }

    private static func variable(_ name: String) -> String? {
        // Safe: the string lives until the environment is changed, which nothing here does.
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe String(cString: text)
    }

    /// The text in one of the terminal's colours.
    func paint(_ text: String, _ colour: Colour) -> String {
        hasColours ? "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m" : text
    }
}

/// The terminal's own colours, which its owner has chosen to be legible, as SGR parameters.
enum Colour: String, CaseIterable, Sendable {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case blue = "34"
    case magenta = "35"
    case cyan = "36"
    case brightRed = "91"
    case brightGreen = "92"
    case brightBlue = "94"

    /// Those that tell tags apart.
    static let tags: [Colour] = [
        .blue, .green, .yellow, .magenta, .cyan, .brightRed, .brightGreen, .brightBlue,
    ]
}
