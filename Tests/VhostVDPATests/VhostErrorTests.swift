import Testing
import VhostVDPA

/// Which error each documented errno of each request becomes.
struct VhostErrorTests {
    typealias Row = (VhostOperation, Int32, VhostError.Code)

    static let eperm: Int32 = 1, eio: Int32 = 5, e2big: Int32 = 7, ebadf: Int32 = 9
    static let enomem: Int32 = 12, efault: Int32 = 14, ebusy: Int32 = 16, einval: Int32 = 22
    static let enotty: Int32 = 25, eopnotsupp: Int32 = 95, enobufs: Int32 = 105

    static let documented: [Row] = [
        (.setOwner, ebusy, .busy),
        (.resetOwner, efault, .refusedByDesign), (.resetOwner, enotty, .refusedByDesign),
        (.resetOwner, enobufs, .refusedByDesign), (.resetOwner, eperm, .refusedByDesign),
        (.setLogBase, enotty, .refusedByDesign), (.setLogFD, enotty, .refusedByDesign),
        (.setMemTable, e2big, .tooManyRegions), (.setMemTable, eopnotsupp, .notSupported),
        (.setFeatures, ebusy, .busy), (.setFeatures, einval, .invalidArgument),
        (.setBackendFeatures, eopnotsupp, .notSupported),
        (.setBackendFeatures, einval, .invalidArgument),
        (.setStatus, einval, .invalidArgument), (.setStatus, eio, .deviceFailed),
        (.getConfig, einval, .outOfBounds), (.setConfig, einval, .outOfBounds),
        (.getConfig, enomem, .outOfMemory), (.setConfig, enomem, .outOfMemory),
        (.setConfigCall, ebadf, .badEventDescriptor), (.setConfigCall, einval, .badEventDescriptor),
        (.setVringNum, einval, .invalidArgument),
        (.setVringAddr, eopnotsupp, .notSupported), (.setVringAddr, einval, .invalidArgument),
        (.setVringBase, einval, .invalidArgument), (.getVringBase, eopnotsupp, .notSupported),
        (.setVringKick, ebadf, .badEventDescriptor), (.setVringKick, einval, .badEventDescriptor),
        (.setVringCall, ebadf, .badEventDescriptor), (.setVringCall, einval, .badEventDescriptor),
        (.setVringErr, ebadf, .badEventDescriptor), (.setVringErr, einval, .badEventDescriptor),
        (.getVringGroup, eopnotsupp, .notSupported), (.getVringGroup, eio, .deviceFailed),
        (.getVringDescriptorGroup, eopnotsupp, .notSupported),
        (.getVringDescriptorGroup, eio, .deviceFailed),
        (.setGroupASID, enobufs, .noSuchQueue), (.setGroupASID, einval, .invalidArgument),
        (.setGroupASID, ebusy, .busy), (.setGroupASID, eopnotsupp, .notSupported),
        (.getVringSize, eopnotsupp, .notSupported),
        (.suspend, eopnotsupp, .notSupported), (.resume, eopnotsupp, .notSupported),
        (.getIOVARange, enotty, .notInThisKernel), (.getConfigSize, enotty, .notInThisKernel),
        (.getVringSize, enotty, .notInThisKernel),
        // A kernel without the request looks at owner and queue first.
        (.getIOVARange, eperm, .notInThisKernel), (.getQueueCount, enobufs, .notInThisKernel),
        (.suspend, efault, .notInThisKernel), (.resume, efault, .notInThisKernel),
    ]

    @Test(arguments: documented)
    func `a documented errno becomes its error`(
        operation: VhostOperation, number: Int32, code: VhostError.Code
    ) {
        expect(.ioctl(operation, Errno(number)), operation, number, code)
    }

    static let ownerChecked: Set<VhostOperation> = [
        .setMemTable, .setVringNum, .setVringAddr, .setVringBase, .getVringBase, .setVringKick,
        .setVringCall, .setVringErr, .setVringEnable, .getVringGroup, .getVringDescriptorGroup,
        .setGroupASID, .getVringSize,
    ]

    static let byDesign: Set<VhostOperation> = [.resetOwner, .setLogBase, .setLogFD]

    @Test func `without the owner, or the queue, requests that need it say so`() {
        for operation in Self.ownerChecked {
            expect(.ioctl(operation, .notOwner), operation, Self.eperm, .notOwner)
            expect(.ioctl(operation, .noSuchQueue), operation, Self.enobufs, .noSuchQueue)
            #expect(operation.requiresOwner)
        }
    }

    @Test func `the same errno from a request that needs neither means that it is missing`() {
        let free = ioctls.subtracting(Self.ownerChecked).subtracting(Self.byDesign)
        #expect(free.count == 19)
        for operation in free {
            expect(.ioctl(operation, .notOwner), operation, Self.eperm, .notInThisKernel)
            expect(.ioctl(operation, .noSuchQueue), operation, Self.enobufs, .notInThisKernel)
        }
    }

    @Test func `ENOTTY names the kernel that brought the request`() {
        for operation in ioctls.subtracting(Self.byDesign) {
            let error = VhostError.ioctl(operation, .notTypewriter)
            #expect(error.code == .notInThisKernel)
            #expect(error.explanation.contains("Linux \(operation.arrived)"))
        }
    }

    @Test func `EFAULT, EBADF and EINTR mean the same to all others`() {
        let events: Set<VhostOperation> = [
            .setVringKick, .setVringCall, .setVringErr, .setConfigCall,
        ]
        for operation in ioctls {
            if !Self.byDesign.contains(operation), operation != .suspend, operation != .resume {
                expect(.ioctl(operation, .fault), operation, Self.efault, .fault)
            }
            if !events.contains(operation) {
                expect(.ioctl(operation, .badDescriptor), operation, Self.ebadf, .closed)
            }
            expect(.ioctl(operation, .interrupted), operation, 4, .interrupted)
        }
    }

    @Test(arguments: 1...4095)
    func `no errno of any request is without explanation and remedy`(number: Int) {
        for operation in ioctls {
            let error = VhostError.ioctl(operation, Errno(Int32(number)))
            let isComplete = error.explanation.hasSuffix(".") && error.remedy.hasSuffix(".")
            #expect(isComplete, "\(error)")
            #expect(error.errno?.rawValue == Int32(number))
        }
    }

    static let opening: [(Int32, VhostError.Code)] = [
        (2, .notFound), (13, .notPermitted), (1, .notPermitted), (16, .busy), (12, .outOfMemory),
        (524, .notSupported), (5, .deviceFailed), (19, .deviceFailed), (6, .deviceFailed),
        (24, .unexpectedErrno),
    ]

    @Test(arguments: opening)
    func `an errno of open becomes its error`(number: Int32, code: VhostError.Code) {
        expect(.open(Errno(number), path: "/dev/vhost-vdpa-9"), .open, number, code)
    }

    @Test func `opening what is not there says so`() {
        let error = failure { () throws(VhostError) in
            _ = try VhostDevice.open(path: "/dev/no-such-directory/vhost-vdpa-0")
        }
        #expect(error?.code == .notFound)
        #expect(error?.explanation.contains("/dev/no-such-directory/vhost-vdpa-0") == true)
    }

    @Test func `a description has operation, errno, explanation and remedy`() {
        let error = VhostError.ioctl(.setOwner, .busy)
        let text = error.description
        for part in ["VHOST_SET_OWNER", "EBUSY (16)", error.explanation, error.remedy] {
            #expect(text.contains(part))
        }
    }

    private var ioctls: Set<VhostOperation> {
        Set(VhostOperation.allCases.filter { $0.request != nil })
    }

    private func expect(
        _ error: VhostError, _ operation: VhostOperation, _ number: Int32,
        _ code: VhostError.Code, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
        #expect(error.operation == operation, sourceLocation: sourceLocation)
        #expect(error.errno?.rawValue == number, sourceLocation: sourceLocation)
        #expect(!error.remedy.isEmpty, sourceLocation: sourceLocation)
    }
}
