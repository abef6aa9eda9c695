import Conformance
import Testing
import VDPASimulator

/// The cases that `vdpa-conformance` runs on kernel devices, on the simulator's four twins.
@Suite struct SimulatorConformanceTests {
    struct Run: CustomTestStringConvertible, Sendable {
        let profile: Profile
        let conformanceCase: ConformanceCase
        var testDescription: String { "\(profile.rawValue): \(conformanceCase.name)" }
    }

    static let runs = Profile.allCases.flatMap { profile in
        ConformanceCase.applicable(to: profile, on: .simulator).map {
            Run(profile: profile, conformanceCase: $0)
        }
    }

    @Test(arguments: runs)
    func `the simulator answers as the kernel does`(_ run: Run) throws {
        let machine = SimulatedMachine(run.profile)
        try Context(profile: run.profile, machine: machine, isKernel: false).run(
            run.conformanceCase)
        for device in machine.devices {
            #expect(!device.isOpen, "the case left its file open")
            #expect(device.pinnedByteCount == 0)
        }
    }

    @Test(arguments: Profile.allCases)
    func `a profile has as many cases as it must have`(_ profile: Profile) {
        for machine in [MachineKind.simulator, .kernel] {
            #expect(
                ConformanceCase.applicable(to: profile, on: machine).count
                    == profile.expectedCaseCount(on: machine))
        }
    }

    @Test func `no two cases have the same name`() {
        let names = ConformanceCase.all.map(\.name)
        #expect(Set(names).count == names.count)
    }

    /// A case that finds nothing wrong with a device that answers nothing proves nothing.
    @Test(arguments: runs)
    func `every case fails on a device that answers ENODEV to everything`(_ run: Run) {
        let machine = SimulatedMachine(run.profile)
        for device in machine.devices { device.disappear(atCall: 1) }
        #expect(throws: (any Error).self) {
            try Context(profile: run.profile, machine: machine, isKernel: false).run(
                run.conformanceCase)
        }
    }
}
