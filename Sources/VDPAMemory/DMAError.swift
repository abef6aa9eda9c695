public import IOVAAllocator

/// Why the library refused, or what the kernel refused: the rule that was broken, the data, and
/// what helps.
///
/// Nothing has changed when one of these is thrown, unless `code` says so (`undoIncomplete`).
public struct DMAError: Error, Sendable {
    /// What a caller can decide on. More codes may come: keep a default case.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }
    }

    /// The rule that was broken.
    public let code: Code
    /// What happened, with the figures.
    public let message: String
    /// What to do about it, one sentence.
    public let remedy: String
    /// The C errno, always: what the kernel answered, or, where the library refused before any
    /// call, what the kernel or libc would mean by it (`Code.errno`, unless the page of the call
    /// says otherwise).
    public internal(set) var errno: Int32
    /// What the kernel answered; nil where the library refused before any call.
    public internal(set) var kernelErrno: Int32?
    /// Which operation of a batch was refused, counted from 0.
    public internal(set) var operationIndex: Int?
    /// The range that was asked for, where there is one.
    public internal(set) var range: IOVARange?
    /// What the request needs and what there is: entries, bytes or regions, as the code says.
    public internal(set) var needed: UInt64?
    /// See `needed`.
    public internal(set) var limit: UInt64?
    /// Whether a device that was to be attached kept mappings, and so its address space.
    var keepsAddressSpace = false
    /// Whether it was what waits in quarantine, or is kept for reuse, that was in the way.
    var isEasedByFlush = false

    /// - Parameters:
    ///   - errno: what the kernel answered.
    ///   - meaning: the errno of a refusal of the library, where it is not the code's.
    init(
        _ code: Code, _ message: String, remedy: String, errno: Int32? = nil,
        meaning: Int32? = nil,
        range: IOVARange? = nil, needed: UInt64? = nil, limit: UInt64? = nil
    ) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.errno = errno ?? meaning ?? code.errno
        kernelErrno = errno
        self.range = range
        self.needed = needed
        self.limit = limit
    }
}

extension DMAError.Code {
    // The request.
    /// A size, alignment or option that can never work.
    public static let invalidArgument = Self(rawValue: -1)
    /// No region has this ID: freed already, or of another domain.
    public static let noSuchRegion = Self(rawValue: -2)
    /// The range reaches outside what the device can address.
    public static let outsideRange = Self(rawValue: -3)
    /// The range meets another region or a reservation.
    public static let overlap = Self(rawValue: -4)
    /// No hole of the IOVA space fits.
    public static let noSpace = Self(rawValue: -5)
    /// As many regions as the domain was made for.
    public static let regionCapacity = Self(rawValue: -6)
    /// The caller's memory is not what the device's mapping needs.
    public static let unsuitableMemory = Self(rawValue: -7)

    // Budgets.
    /// More entries of the kernel's table than there are.
    public static let entryLimit = Self(rawValue: -20)
    /// More locked memory than RLIMIT_MEMLOCK allows.
    public static let lockedMemoryLimit = Self(rawValue: -21)
    /// The host has not the pages that were asked for.
    public static let hostMemory = Self(rawValue: -22)

    // The device.
    /// The device file could not be opened or taken over.
    public static let deviceUnavailable = Self(rawValue: -40)
    /// Another process owns the device, or this one is a forked child.
    public static let notOwner = Self(rawValue: -41)
    /// The address space does not exist, or another domain has it.
    public static let addressSpace = Self(rawValue: -42)
    /// The device or this kernel does not have the operation.
    public static let notSupported = Self(rawValue: -43)
    /// The device is gone, or its file is closed.
    public static let deviceGone = Self(rawValue: -44)
    /// The kernel refused, and none of the known reasons holds.
    public static let kernelRefused = Self(rawValue: -45)
    /// A ring address or a control operation's argument that the device must not be given.
    public static let unsafeControl = Self(rawValue: -46)

    /// Queues are enabled, and the domain was told to map nothing meanwhile:
    /// `DMADomainOptions.refusesMappingWhileQueuesEnabled`.
    public static let queuesEnabled = Self(rawValue: -47)

    // The library's own state.
    /// The domain is closed.
    public static let closed = Self(rawValue: -60)
    /// A failed batch could not be undone in full: the message says what is in quarantine, and
    /// `remap()` repairs the device's table.
    public static let undoIncomplete = Self(rawValue: -61)
    /// The body of a batch, or a population's progress callback, asked for it.
    public static let cancelled = Self(rawValue: -62)
}

extension DMAError: CustomStringConvertible {
    public var description: String {
        var text = message
        if let operationIndex { text = "operation \(operationIndex): " + text }
        if let kernelErrno { text += " (errno \(kernelErrno))" }
        return text + " " + remedy
    }
}

extension DMAError {
    /// For the body of a batch that wants nothing of it to happen.
    public static func cancelled(_ why: String) -> DMAError {
        DMAError(.cancelled, why, remedy: "Nothing of the batch has happened.")
    }

    func inOperation(_ index: Int) -> DMAError {
        var copy = self
        copy.operationIndex = index
        return copy
    }
}
