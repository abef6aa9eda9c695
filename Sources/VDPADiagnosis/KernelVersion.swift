internal import HostMemory

/// A kernel's version as far as its vhost-vdpa depends on it.
struct KernelVersion: Hashable, Comparable, Sendable {
    let major: Int
    let minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// The version at the start of a release such as `6.1.0-18-amd64`; nil where there is none.
    init?(release: Substring) {
        let numbers = release.split(separator: ".", maxSplits: 2).prefix(2).map { part in
            Int(part.prefix { $0.isASCII && $0.isNumber })
        }
        guard numbers.count == 2, let major = numbers[0], let minor = numbers[1] else {
            return nil
        }
        self.init(major, minor)
    }

    static func < (left: KernelVersion, right: KernelVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}

extension KernelVersion: CustomStringConvertible {
    var description: String { "\(major).\(minor)" }
}

/// What a range of versions does in a way of its own. Distributions bring fixes back, so that a
/// kernel may be better than its number.
struct KernelQuirk: Sendable {
    let topicText: String
    /// The first version that does it; nil for all before `until`.
    let from: KernelVersion?
    /// The first version that does not any more; nil where all later ones do.
    let until: KernelVersion?
    /// What the application has to do; nil where the library does it.
    let remedy: String?

    func applies(to version: KernelVersion) -> Bool {
        version >= from ?? version && (until.map { version < $0 } ?? true)
    }

    /// Sources: drivers/vhost/{vdpa,vhost,iotlb}.c and the vDPA parents' drivers of the versions
    /// named; the commits are in the kernel's history under the words quoted here.
    static let all = [
        KernelQuirk(
            topicText: "no SUSPEND: a running device can only be reset", from: nil,
            until: KernelVersion(6, 0), remedy: "Use Linux 6.0 or later where queues must pause."),
        KernelQuirk(
            topicText: "an INVALIDATE much larger than what is mapped crashes it on devices behind "
                + "an IOMMU; the library unmaps extent by extent",
            from: nil, until: KernelVersion(6, 2), remedy: nil),
        KernelQuirk(
            topicText: "no RESUME: a suspended device goes on only after a reset", from: nil,
            until: KernelVersion(6, 3),
            remedy: "Use Linux 6.3 or later where queues must go on after a pause."),
        KernelQuirk(
            topicText: "an address space is dropped with its last mapping, and the next INVALIDATE "
                + "in it refused; the library opens a batch first",
            from: nil, until: KernelVersion(6, 4), remedy: nil),
        KernelQuirk(
            topicText:
                "vdpa_sim maps by virtual address unless it is loaded with use_va=0: private "
                + "memory would be skipped in silence; the library refuses it",
            from: KernelVersion(6, 4), until: nil, remedy: nil),
        KernelQuirk(
            topicText: "no IOTLB_PERSIST: after a reset the device's table and the kernel's may "
                + "differ",
            from: nil, until: KernelVersion(6, 7),
            remedy: "Call remap() after a reset, before queues are enabled."),
        KernelQuirk(
            topicText: "ring addresses and indexes are refused while the device runs, unless it is "
                + "suspended",
            from: KernelVersion(6, 9), until: nil, remedy: nil),
        KernelQuirk(
            topicText: "a group's address space is refused while the device runs",
            from: KernelVersion(7, 0), until: nil, remedy: nil),
    ]
}

extension Machine {
    /// The kernel, its pages and what its vhost-vdpa does in a way of its own.
    func kernelFindings() -> [Finding] {
        guard let release = TextFile.lines(of: procfs + "/sys/kernel/osrelease")?.first,
            let version = KernelVersion(release: release)
        else {
            return [
                .warning(
                    .kernel, "\(procfs)/sys/kernel/osrelease names no version.",
                    remedy: "Use Linux 5.19 or later, and mount procfs.")
            ]
        }
        var findings: [Finding] = []
        if version < KernelVersion(5, 19) {
            findings.append(
                .failure(
                    .kernel, "Linux \(release) has vhost-vdpa without address spaces.",
                    remedy: "Use Linux 5.19 or later."))
        } else {
            findings.append(.ok(.kernel, "Linux \(release)"))
        }
        for quirk in KernelQuirk.all where quirk.applies(to: version) {
            findings.append(
                quirk.remedy.map { .warning(.kernel, "\(quirk.topicText).", remedy: $0) }
                    ?? .ok(.kernel, quirk.topicText))
        }
        if pageByteCount != 4096 {
            findings.append(
                .failure(
                    .pages, "This kernel's pages are \(ByteCount(UInt64(pageByteCount))).",
                    remedy: "Use a kernel with pages of 4 KiB."))
        }
        return findings
    }
}
