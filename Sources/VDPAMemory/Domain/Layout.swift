internal import Glibc

/// Which addresses a domain may use, and which of them it never chooses.
enum Layout {
    /// The x86 MSI window: writes there are interrupts, whatever the IOMMU says
    /// (Intel SDM volume 3, "Message Signalled Interrupts"). The kernel's range does not leave it
    /// out.
    static let interruptWindow = IOVARange(first: 0xfee0_0000, last: 0xfeef_ffff)

    static func space(
        for device: VDPADevice, _ options: DMADomainOptions
    ) throws(DMAError) -> IOVASpace {
        guard options.regionCapacity > 0, options.regionCapacity < 1 << 27 else {
            throw DMAError(
                .invalidArgument, "A capacity of \(options.regionCapacity) regions.",
                remedy: "Ask for 1 to 2^27 - 1.")
        }
        guard sysconf(Int32(_SC_PAGESIZE)) == 4096 else {
            throw DMAError(
                .notSupported,
                "This kernel's pages are not 4 KiB: it would round mappings outward, and the "
                    + "device would reach their neighbours.",
                remedy: "Use a kernel with pages of 4 KiB.")
        }
        let range = try range(for: device, options.window)
        do throws(IOVASpaceError) {
            var space = try IOVASpace(
                usable: [range], regionCapacity: options.regionCapacity,
                metadata: IOVAMetadataOptions(advice: MetadataAdvice.hugePages))
            let firstPage = IOVARange(first: 0, last: 4095)
            try space.reserve(firstPage, fixedPlacement: .placeable)
            for window in windows(device) + options.reserved {
                try space.reserve(wholePages(around: window), fixedPlacement: .guarded)
            }
            return space
        } catch {
            throw DMAError(error)
        }
    }

    /// The whole pages that the device can address inside the window.
    static func range(
        for device: VDPADevice, _ window: IOVARange?
    ) throws(DMAError) -> IOVARange {
        let wanted = window ?? .all
        guard let range = device.iovaRange.intersection(wanted).flatMap(wholePages(inside:)) else {
            throw DMAError(
                .outsideRange,
                "The window \(wanted) has no whole page inside the device's range "
                    + "\(device.iovaRange).",
                remedy: "Choose a window inside the device's range.", range: wanted)
        }
        return range
    }

    static func windows(_ device: VDPADevice) -> [IOVARange] {
        #if arch(x86_64)
            return [interruptWindow] + device.reservedWindows
        #else
            return device.reservedWindows
        #endif
    }

    static func wholePages(inside range: IOVARange) -> IOVARange? {
        let (padded, overflow) = range.first.rawValue.addingReportingOverflow(4095)
        let first = padded & ~4095
        // One behind the last whole page, minus 1; a range that ends with 2^64-1 keeps its end.
        let last = range.last.rawValue == .max ? .max : ((range.last.rawValue + 1) & ~4095) &- 1
        // Below the first page's end `last` has wrapped.
        guard !overflow, range.last.rawValue >= 4095, first <= last else { return nil }
        return IOVARange(first: first, last: last)
    }

    static func wholePages(around range: IOVARange) -> IOVARange {
        IOVARange(first: range.first.rawValue & ~4095, last: range.last.rawValue | 4095)
    }
}
