import CProbe
import Glibc

var passed = 0
var failed = 0
for work in Work.allCases {
    let answer = cprobe_in_child(probe, work.rawValue)
    let expected: Int32
    switch work {
    case .allocates: expected = 1
    case .calls: expected = 256 + SIGSYS
    default: expected = 0
    }
    if answer == expected { passed += 1 } else { failed += 1 }
    let verdict = answer == expected ? "ok" : "FAILED"
    print("\(verdict) \(work): \(answer == expected ? "as it must be" : "answered \(answer)")")
}
print("\(passed) passed, \(failed) failed")
exit(failed == 0 ? 0 : 1)
