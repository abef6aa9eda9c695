internal import CBenchmark
internal import Glibc

/// What is measured now, on one line of a terminal that is written over: suite, case, N, which of
/// how many steps, and the time since the start. Without a sink it does nothing.
///
/// It is told between steps, and never while the clock runs.
public final class ProgressLine {
    /// What a line has at most: one that wraps cannot be written over.
    static let width = 79

    private let write: ((String) -> Void)?
    private let now: () -> UInt64
    private let start: UInt64
    private var suite = ""
    private var steps = 0
    private var step = 0
    /// Columns that stand there.
    private var shown = 0

    /// - Parameters:
    ///   - write: takes what is to be written, at once. With `nil` nothing is composed either.
    ///   - now: nanoseconds since any moment.
    init(write: ((String) -> Void)?, now: @escaping () -> UInt64 = { cbench_monotonic_ns() }) {
        self.write = write
        self.now = now
        start = now()
    }

    public static func silent() -> ProgressLine { ProgressLine(write: nil) }

    /// On standard error where that is a terminal, else silent.
    public static func onStandardError() -> ProgressLine {
        guard isatty(STDERR_FILENO) == 1 else { return silent() }
        return ProgressLine { text in
            var text = text
            // What a terminal does not take is lost, and nothing else is.
            text.withUTF8 { bytes in
                // Safe: the bytes live as long as the call.
                _ = unsafe Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
            }
        }
    }

    /// A suite begins, which will call `next` so many times.
    func open(_ suite: String, steps: Int) {
        (self.suite, self.steps, step) = (suite, steps, 0)
    }

    /// A step begins. To be called before its clock is read.
    func next(_ caseName: String, n: Int) {
        guard let write else { return }
        step += 1
        let text = "\(suite): \(caseName), N = \(n), \(step) of \(steps), \(elapsed)"
        let line = String(text.prefix(Self.width))
        write("\r" + line + String(repeating: " ", count: max(shown - line.count, 0)))
        shown = line.count
    }

    /// Before anything else is written to the terminal, and at the end.
    public func erase() {
        guard let write, shown > 0 else { return }
        write("\r" + String(repeating: " ", count: shown) + "\r")
        shown = 0
    }

    private var elapsed: String {
        let seconds = (now() - start) / 1_000_000_000
        return seconds < 60 ? "\(seconds) s" : "\(seconds / 60) min \(seconds % 60) s"
    }
}
