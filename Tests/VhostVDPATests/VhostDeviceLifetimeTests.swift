import CVhostVDPA
import IOVAAllocator
import Testing
import VhostVDPA

struct VhostDeviceLifetimeTests {
    @Test func `the end of a device closes its file, once`() throws {
        let file = RecordingFile()
        do {
            let device = VhostDevice(file)
            try device.setOwner()
            #expect(file.closeCount == 0)
        }
        #expect(file.closeCount == 1)
    }

    @Test func `a device that moves is closed once, at the end of its last owner`() {
        let file = RecordingFile()
        let device = VhostDevice(file)
        func end(_ device: consuming VhostDevice) { #expect(file.closeCount == 0) }
        end(device)
        #expect(file.closeCount == 1)
    }

    @Test func `a device whose operations fail is closed once`() {
        let file = RecordingFile(ioctlAnswers: [-16, -14])
        do {
            let device = VhostDevice(file)
            #expect(failure { () throws(VhostError) in try device.setOwner() }?.code == .busy)
            #expect(failure { () throws(VhostError) in try device.getStatus() }?.code == .fault)
        }
        #expect(file.closeCount == 1)
    }

    @Test func `a channel does not keep the file open, and says that it is closed`() throws {
        // A real descriptor: what close does to it is the point.
        let number = unsafe "/dev/null".withCString { unsafe cvhost_open($0) }
        try #require(number >= 0)
        let file = KernelDeviceFile(FileDescriptor(takingOver: number))
        let channel = IOTLBChannel(file, acknowledged: [])
        do {
            let device = VhostDevice(file)
            // /dev/null swallows a message and answers its size: the file is open.
            try channel.batchBegin()
            let error = failure { () throws(VhostError) in try device.getIOVARange() }
            #expect(error?.code == .notInThisKernel)
        }
        let error = failure { () throws(VhostError) in try channel.batchEnd() }
        #expect(error?.code == .closed)
        #expect(channel.counts == IOTLBMessageCounts(batchBegins: 1, refused: 1))
        #expect(file.close() == -EBADF)
    }
}
