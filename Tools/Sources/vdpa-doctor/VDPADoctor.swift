internal import ArgumentParser
internal import DoctorKit
internal import Foundation
internal import VDPADiagnosis

@main
struct VDPADoctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vdpa-doctor",
        abstract: "Tells whether this machine is ready for DMA with vhost-vdpa, and what to do.",
        discussion: "Exit status: 0 ready, 1 not ready, 64 wrong usage.",
        subcommands: [CheckCommand.self, PlanCommand.self, MapCommand.self],
        defaultSubcommand: CheckCommand.self)
}

/// The default: the machine as it is.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Looks at the machine and its devices, line by line.",
        discussion: "Reads sysfs and procfs, and opens no device unless --open is given.")

    @Argument(help: "A device such as /dev/vhost-vdpa-0; all of them where none is given.")
    var device: String?

    @Flag(help: "Open the device, too, for its features and range. This resets an unused device.")
    var open = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        if open {
            // Before it is done, and not into what a program reads.
            let name = device ?? "each device"
            complain("--open opens \(name): opening resets a device that nobody uses")
        }
        let diagnoses = Machine().diagnose(device: device, opening: open)
        if json {
            print(try Documents.json(diagnoses), terminator: "")
        } else {
            let terminal = Terminal.current()
            print(diagnoses.map { $0.text(terminal) }.joined(separator: "\n"), terminator: "")
        }
        if !diagnoses.allSatisfy(\.isReady) { throw ExitCode(1) }
    }
}

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Says what must be configured for a layout of memory, and prints the commands.",
        discussion: "Changes nothing. Exit status: 0 where nothing has to be changed, 1 otherwise.")

    @Option(help: "What each device is to reach, such as 64G.", transform: bytes)
    var memory: ByteCount

    @Option(help: "The pages: 4K, 2M or 1G.", transform: bytes)
    var page: ByteCount

    @Option(help: "How many devices have all of it mapped.")
    var devices = 1

    @Option(help: "How many address spaces of each device have all of it mapped.")
    var addressSpaces = 1

    @Option(
        name: .customLong("node"),
        help: "A NUMA node for the memory; may be given several times (default: the devices').")
    var nodes: [Int] = []

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...65_536).contains(devices), (1...65_536).contains(addressSpaces) else {
            throw ValidationError("--devices and --address-spaces are from 1 to 65536.")
        }
    }

    func run() throws {
        let request = PlanRequest(
            memory: memory, page: page, devices: devices, addressSpaces: addressSpaces,
            nodes: nodes)
        guard let plan = Machine().plan(request) else {
            throw ValidationError("--page is 4K, 2M or 1G; --memory is at least 1 byte, up to 64P.")
        }
        print(
            json ? try Documents.json(plan) : plan.text(Terminal.current()), terminator: "")
        if !plan.isReady { throw ExitCode(1) }
    }
}

struct MapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "Draws a domain's snapshot, which DMADomain.snapshot().json() has written.")

    @Argument(help: "The snapshot's file, or - for standard input.")
    var snapshot: String

    @Option(help: "Write an SVG file, instead of the map in the terminal.")
    var svg: String?

    @Option(help: "Write an HTML page that can be zoomed, instead of the map in the terminal.")
    var html: String?

    func run() throws {
        let drawn = try Documents.snapshot(path: snapshot)
        if let svg { try Documents.write(drawn.svg(), to: svg) }
        if let html { try Documents.write(drawn.html(), to: html) }
        if svg == nil, html == nil { print(drawn.text(.current()), terminator: "") }
    }
}

private func bytes(_ text: String) throws -> ByteCount {
    guard let count = ByteCount(text: text) else {
        throw ValidationError("\(text) is no number of bytes such as 64G.")
    }
    return count
}

private func complain(_ text: String) {
    FileHandle.standardError.write(Data("vdpa-doctor: \(text)\n".utf8))
}
