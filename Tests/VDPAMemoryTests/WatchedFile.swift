import Synchronization
import VDPAMemory
import VDPASimulator
import VhostVDPA

/// A device file that passes everything on to a simulated one, writes down what was asked, fails
/// the calls it is told to fail, and counts how often it was closed.
final class WatchedFile: DeviceFile {
    struct State: Sendable {
        var requests: [UInt32] = []
        var callCount = 0
        var closeCount = 0
        var failures: [Int: Int32] = [:]
        var refusals: [UInt32: Int32] = [:]
        /// Of calls that are done, and answer so all the same.
        var lies: [Int: Int32] = [:]
    }

    private let file: any DeviceFile
    private let state: Mutex<State>

    /// - Parameter failures: errnos by the number of the call, ioctls and writes counted from 1.
    init(_ device: SimulatedDevice, failures: [Int: Int32] = [:]) {
        file = device.file
        state = Mutex(State(failures: failures))
    }

    /// Over a file that is open already.
    init(_ file: any DeviceFile, failures: [Int: Int32] = [:]) {
        self.file = file
        state = Mutex(State(failures: failures))
    }

    /// The requests of the ioctls so far, messages left out.
    var requests: [UInt32] { state.withLock { $0.requests } }
    var callCount: Int { state.withLock { $0.callCount } }
    var closeCount: Int { state.withLock { $0.closeCount } }

    func forgetRequests() { state.withLock { $0.requests = [] } }

    /// From now on the request answers this errno, 0 for none.
    func refuse(_ operation: VhostOperation, errno: Int32) {
        guard let request = operation.request else { return }
        state.withLock { $0.refusals[request] = errno }
    }

    /// The call of this number is done, and answers an errno.
    func lie(atCall number: Int, errno: Int32) { state.withLock { $0.lies[number] = errno } }

    func ioctl(_ request: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        let errno = state.withLock { state in
            state.requests.append(request)
            return state.nextFailure() ?? state.refusals[request] ?? 0
        }
        // Safe: the caller vouches for the argument.
        return errno != 0 ? -errno : unsafe file.ioctl(request, argument)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        let (failure, lie) = state.withLock { ($0.nextFailure(), $0.lies[$0.callCount]) }
        if let failure { return -Int(failure) }
        // Safe: the caller vouches for the bytes.
        let answer = unsafe file.write(bytes)
        return lie.map { -Int($0) } ?? answer
    }

    @discardableResult
    func close() -> Int32 {
        state.withLock { $0.closeCount += 1 }
        return file.close()
    }
}

extension WatchedFile.State {
    /// Counts a call; the errno it must fail with, or nil.
    fileprivate mutating func nextFailure() -> Int32? {
        callCount += 1
        return failures[callCount]
    }
}

/// The error that `body` throws; nil if it throws none.
func dmaFailure<Result>(_ body: @autoclosure () throws(DMAError) -> Result) -> DMAError? {
    do throws(DMAError) {
        _ = try body()
        return nil
    } catch { return error }
}
