import Testing
import VDPAMemory
import VDPASimulator
import VirtioDeviceModel
import VirtioDriver

@Suite struct VirtioBlockTests {
    @Test func `what is written is read again, and the device has its name`() throws {
        let disk = try SimulatedDisk()
        let block = try VirtioBlock(disk.device, disk.domain)
        let region = try disk.domain.allocate(byteCount: 8192)
        let memory = DriverMemory(region)
        for index in 0..<4096 { unsafe memory.bytes[index] = UInt8(truncatingIfNeeded: index / 7) }
        let source = memory.part(from: 0, byteCount: 4096)
        let target = memory.part(from: 4096, byteCount: 4096)
        try block.perform(.write, sector: 100, data: [source.slice])
        try block.perform(.flush)
        try block.perform(.read, sector: 100, data: [target.slice])
        for index in 0..<4096 {
            let (wanted, found) = unsafe (source.bytes[index], target.bytes[index])
            #expect(wanted == found)
        }
        #expect(disk.model.content(sector: 100, count: 1)[511] == 73)
        try block.perform(.identify, data: [target.part(from: 0, byteCount: 20).slice])
        #expect(unsafe target.bytes[0] == UInt8(ascii: "v"))
        #expect(disk.simulated.faults.isEmpty)
        try block.close()
        #expect(disk.domain.statistics.regions == 1)
    }
}
