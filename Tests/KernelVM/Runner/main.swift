// vdpa-conformance: the conformance cases on a kernel device.
//
//   vdpa-conformance --device /dev/vhost-vdpa-0 [--second /dev/vhost-vdpa-1] --profile sim
//       [--block PATH] [--network PATH]
//       [--filter TEXT | --except TEXT | --case NAME | --list | --count-messages]
//
// `--block` and `--network` name the devices of these kinds where `--device` is of the other. Runs
// every case of the profile and asserts that as many ran as there must be; there is no skip.
// `--list` prints the names, `--case` runs one, `--except` those without the text in their names,
// for a harness that mends the device between cases.
// `--count-messages` changes a domain in every way and prints how many messages the library says it
// sent, for a harness that watches its system calls.

import Conformance
import Glibc
import VhostVDPA

private func fail(_ message: String) -> Never {
    print("vdpa-conformance: \(message)")
    exit(2)
}

/// A line that is out before the next case, which may be the last.
private func report(_ line: String) {
    print(line)
    fflush(nil)
}

private func option(_ name: String) -> String? {
    guard let index = CommandLine.arguments.firstIndex(of: name) else { return nil }
    guard index + 1 < CommandLine.arguments.count else { fail("\(name) needs a value") }
    return CommandLine.arguments[index + 1]
}

/// Answers the exit status.
private func runCases(_ cases: [ConformanceCase], _ context: Context, expected: Int?) -> Int32 {
    var passed = 0
    var failed = 0
    for conformanceCase in cases {
        do {
            try context.run(conformanceCase)
            passed += 1
            report("ok \(conformanceCase.name)")
        } catch {
            failed += 1
            report("FAILED \(conformanceCase.name): \(error)")
        }
    }
    if let expected, passed + failed != expected {
        print("FAILED the number of cases: \(passed + failed), expected \(expected)")
        failed += 1
    }
    if cases.isEmpty {
        print("FAILED no case was run")
        failed += 1
    }
    print("\(passed) passed, \(failed) failed")
    return failed == 0 ? 0 : 1
}

if CommandLine.arguments.contains("--probe") {
    do {
        try KernelMachine.answerProbe()
        exit(0)
    } catch {
        fail("\(error)")
    }
}
guard let profile = option("--profile").flatMap(Profile.init(rawValue:)) else {
    fail("--profile is one of \(Profile.allCases.map(\.rawValue).joined(separator: ", "))")
}
let cases = ConformanceCase.applicable(to: profile, on: .kernel)
if CommandLine.arguments.contains("--list") {
    for conformanceCase in cases { print(conformanceCase.name) }
    exit(cases.count == profile.expectedCaseCount(on: .kernel) ? 0 : 1)
}
guard let device = option("--device") else { fail("--device is missing") }
var others: [VirtioDeviceID: String] = [:]
if let path = option("--block") { others[.block] = path }
if let path = option("--network") { others[.network] = path }
let machine = KernelMachine(path: device, second: option("--second"), others: others)
let context = Context(profile: profile, machine: machine, isKernel: true) { note in
    report("  note: \(note)")
}
if CommandLine.arguments.contains("--count-messages") {
    do {
        print("messages \(try countMessages(on: machine))")
        exit(0)
    } catch {
        fail("\(error)")
    }
}
if let name = option("--case") {
    exit(runCases(cases.filter { $0.name == name }, context, expected: 1))
}
if let text = option("--filter") {
    exit(runCases(cases.filter { $0.name.contains(text) }, context, expected: nil))
}
if let text = option("--except") {
    exit(runCases(cases.filter { !$0.name.contains(text) }, context, expected: nil))
}
exit(runCases(cases, context, expected: profile.expectedCaseCount(on: .kernel)))
