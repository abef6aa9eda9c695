internal import HostMemory
package import IOVAAllocator
internal import VhostVDPA

// The lower layers' errors in the words of this one. One place for each, so that a code, its data
// and its remedy stay together.

extension DMAError {
    package init(_ error: IOVASpaceError, range: IOVARange? = nil) {
        switch error {
        case .badSize(let count):
            self.init(
                .invalidArgument, "\(error).", remedy: "Ask for a size that fits the range.",
                range: range, needed: count)
        case .badAlignment, .badCapacity, .badCongruence, .badGuardGaps, .misaligned:
            self.init(
                .invalidArgument, "\(error).", remedy: "Use whole 4 KiB pages and powers of two.",
                range: range)
        case .noSpace(let count, _, let largest):
            self.init(
                .noSpace, "\(error).",
                remedy: "Free or flush regions, ask for less, or widen the window.",
                range: range, needed: count, limit: largest)
        case .overlap(let wanted, let entry):
            let isReservation = entry.handle == nil
            self.init(
                .overlap, "\(error).",
                remedy: isReservation
                    ? "Mark the placement as deliberate, or choose another address."
                    : "Free that region first, or choose another address.",
                range: wanted)
        case .alreadyUsable(let wanted, _):
            self.init(
                .overlap, "\(error).",
                remedy: "Add only what is not usable yet, or withdraw it first.", range: wanted)
        case .unusable(let wanted, _):
            self.init(
                .outsideRange, "\(error).",
                remedy: "Stay inside the domain's `range`.", range: wanted)
        case .capacityExhausted(let capacity):
            self.init(
                .regionCapacity, "\(error).",
                remedy: "Make the domain with a larger `regionCapacity`.", range: range,
                needed: UInt64(capacity) + 1, limit: UInt64(capacity))
        case .entriesExhausted(let capacity):
            self.init(
                .regionCapacity, "\(error).",
                remedy: "Make the domain with a larger `regionCapacity`.", range: range,
                limit: UInt64(capacity))
        case .noMetadataMemory(let capacity):
            self.init(
                .regionCapacity, "\(error).",
                remedy: "Make the domain with a smaller `regionCapacity`, or free memory first.",
                range: range, needed: UInt64(capacity))
        case .noSuchRegion, .noSuchReservation:
            self.init(
                .noSuchRegion, "\(error).", remedy: DMAError.noSuchRegionRemedy,
                range: range)
        }
    }

    init(_ error: HostMemoryError) {
        let code: Code
        switch error.code {
        case .invalidRequest, .noSuchNode: code = .invalidArgument
        case .notMapped: code = .unsuitableMemory
        case .cancelled: code = .cancelled
        default: code = .hostMemory
        }
        var plain = error
        plain.remedy = ""
        var text = "\(plain)."
        for attempt in error.earlierAttempts {
            var attempt = attempt
            attempt.remedy = ""
            text += " Before that, \(attempt)."
        }
        var remedy = error.remedy
        if code == .cancelled { remedy = "Nothing of it is left: allocate again." }
        self.init(
            code, text, remedy: remedy.isEmpty ? "See proc(5) and hugetlbpage." : remedy,
            errno: error.errorNumber == 0 ? nil : error.errorNumber,
            needed: error.wantedByteCount > 0 ? UInt64(error.wantedByteCount) : nil)
    }

    init(_ error: VhostError) {
        let code: Code
        switch error.code {
        case .notOwner: code = .notOwner
        case .notSupported, .notInThisKernel, .refusedByDesign: code = .notSupported
        case .busy, .notFound, .notPermitted: code = .deviceUnavailable
        case .noDevice, .closed, .deviceFailed: code = .deviceGone
        case .asidNotNegotiated: code = .addressSpace
        case .emptyRange, .rangeWraps, .rangeNotExpressible, .notCongruent, .notPageAligned,
            .outOfBounds, .invalidArgument, .noSuchQueue, .badEventDescriptor, .tooManyRegions:
            code = .invalidArgument
        default: code = .kernelRefused
        }
        self.init(
            code, "\(error.operation.rawValue): \(error.explanation)", remedy: error.remedy,
            errno: error.errno?.rawValue)
    }
}
