/// What libFuzzer calls with each input.
///
/// A difference between the space and its oracle ends the process, so that libFuzzer keeps the
/// input.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // libFuzzer lends `count` bytes for the time of the call; they are copied at once.
    let choices = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
    do {
        _ = try FuzzProgram.run(choices)
    } catch {
        fatalError("the space and its oracle differ: \(error)")
    }
    return 0
}
