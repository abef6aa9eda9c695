import Synchronization
import VhostVDPA

/// A device file that writes down what it is asked and answers what it is told: proof of the
/// bytes, with no semantics of its own.
final class RecordingFile: DeviceFile {
    struct Call: Hashable, Sendable {
        let request: UInt32
        /// The argument as it came in; nil for a null pointer.
        let argument: [UInt8]?
    }

    struct State: Sendable {
        var calls: [Call] = []
        var messages: [[UInt8]] = []
        var closeCount = 0
        /// Taken from the front, one a call; when empty, calls succeed.
        var ioctlAnswers: [Int32] = []
        var writeAnswers: [Int] = []
        /// Written over the argument's end when an ioctl succeeds.
        var reply: [UInt8] = []
    }

    private let state: Mutex<State>

    init(ioctlAnswers: [Int32] = [], writeAnswers: [Int] = [], reply: [UInt8] = []) {
        state = Mutex(
            State(ioctlAnswers: ioctlAnswers, writeAnswers: writeAnswers, reply: reply))
    }

    var calls: [Call] { state.withLock { $0.calls } }
    var messages: [[UInt8]] { state.withLock { $0.messages } }
    var closeCount: Int { state.withLock { $0.closeCount } }
    /// Everything that reached the file.
    var touchCount: Int { state.withLock { $0.calls.count + $0.messages.count } }

    func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        // Safe: the request number, or the structure's own header, says how long it is.
        let bytes = unsafe argument.map { unsafe whole(request, $0) }
        return state.withLock { state in
            state.calls.append(
                Call(request: request, argument: unsafe bytes.map { unsafe Array($0) }))
            let answer = state.ioctlAnswers.isEmpty ? 0 : state.ioctlAnswers.removeFirst()
            if answer == 0, let bytes = unsafe bytes, !state.reply.isEmpty {
                let offset = bytes.count - state.reply.count
                unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])
                    .copyBytes(from: state.reply)
            }
            return answer
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        let message = unsafe Array(bytes)
        return state.withLock { state in
            state.messages.append(message)
            return state.writeAnswers.isEmpty ? message.count : state.writeAnswers.removeFirst()
        }
    }

    @discardableResult
    func close() -> Int32 {
        state.withLock { $0.closeCount += 1 }
        return 0
    }

    private func whole(
        _ request: UInt32, _ argument: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawBufferPointer {
        var count = Int(request >> 16 & 0x3fff)
        switch request {
        case 0x8008_af73, 0x4008_af74:  // configuration: offset, length, bytes
            count += Int(unsafe argument.load(fromByteOffset: 4, as: UInt32.self))
        case 0x4008_af03:  // memory table: count, padding, regions of 32 bytes
            count += Int(unsafe argument.load(as: UInt32.self)) * 32
        default: break
        }
        return unsafe UnsafeMutableRawBufferPointer(start: argument, count: count)
    }
}

/// Little-endian bytes, as on both supported machines.
func bytes<each Integer: FixedWidthInteger>(_ integers: repeat each Integer) -> [UInt8] {
    var result: [UInt8] = []
    for integer in repeat each integers {
        for shift in stride(from: 0, to: integer.widthInBits, by: 8) {
            result.append(UInt8(truncatingIfNeeded: integer >> shift))
        }
    }
    return result
}

extension FixedWidthInteger {
    fileprivate var widthInBits: Int { Self.bitWidth }
}

/// The error that `body` throws; nil if it throws none.
func failure<Result>(_ body: () throws(VhostError) -> Result) -> VhostError? {
    do throws(VhostError) {
        _ = try body()
        return nil
    } catch { return error }
}
