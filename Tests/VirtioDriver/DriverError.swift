package import VDPAMemory

/// Why the driver refused, or what the device did.
package enum DriverError: Error, Sendable {
    /// A control operation, or the domain's memory.
    case device(DMAError)
    /// The device did not keep FEATURES_OK, or lacks what every device here must have.
    case featuresRefused(VirtioFeatures)
    /// The device gave up; `restart()` brings it back.
    case needsReset
    /// The driver is stopped, or its device's reset failed: `restart()` first.
    case stopped
    /// Nothing completed in time. The device may still use the memory of what is outstanding.
    case timedOut(outstanding: Int)
    /// The device may be using part of this memory: it cannot be unmapped now.
    case inFlight(IOVARange)
    /// A request that the device must not be given.
    case invalidRequest(String)
    /// The used ring names a chain that is not out: the device, or its memory, is broken.
    case brokenUsedRing
    /// The device ended the request with a status other than 0.
    case request(BlockStatus)
    /// An event descriptor: errno.
    case event(Int32)
}

extension DriverError {
    /// The library's reason, where it was the library that refused.
    package var dmaError: DMAError? {
        if case .device(let error) = self { error } else { nil }
    }
}

/// Runs what the library may refuse.
func dma<Result: ~Copyable>(_ body: () throws(DMAError) -> Result) throws(DriverError) -> Result {
    do throws(DMAError) { return try body() } catch { throw .device(error) }
}
