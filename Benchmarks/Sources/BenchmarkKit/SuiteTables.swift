// The tables of the suites. Their columns are a choice from what the JSON holds.

extension Table {
    public static var allocator: Table {
        Table(
            title: [
                "allocator: nanoseconds per free + allocate (W1, W2, W5: best fit), region (W3), "
                    + "look-up (W4)",
                "median, mean: of blocks, best repetition; worst: the slowest repetition's median",
                "p50 to max: of single operations, the cost of row `timer` included",
                "ref: the chase's median beside the row's repetition; x ref, x floor: the median over"
                    + " it, over the row floor's",
                "x 1T: the rate of both threads over that of one alone, in turns on the same space",
            ],
            columns: [
                name(width: 12), count("n", width: 8),
                figure("median") { $0.medianNs }, figure("mean") { $0.meanNs },
                figure("worst") { $0.worstMedianNs },
                figure("p50", width: 7, decimals: 0) { $0.percentiles?.p50 },
                figure("p99", width: 7, decimals: 0) { $0.percentiles?.p99 },
                figure("p99.9", width: 7, decimals: 0) { $0.percentiles?.p999 },
                figure("max", width: 9, decimals: 0) { $0.percentiles?.max },
                figure("failures", decimals: 0) {
                    $0.suite == "reference" ? nil : Double($0.failures)
                },
                figure("span/live", width: 9, decimals: 3) { $0.spanOverLive },
                figure("B/region") { $0.residentBytesPerRegion },
                figure("ref", width: 7) { $0.referenceNs },
                figure("x ref", width: 7) { $0.ratio },
                figure("x floor", width: 7) { $0.ratioToFloor },
                figure("x 1T", width: 5, decimals: 2) { $0.ratioToOneThread },
            ])
    }

    public static var map: Table {
        Table(
            title: [
                "map: microseconds per region; messages: writes to the device, all regions",
                "batch-of: batches of other sizes",
                "extents: carved from shared extents in one batch, of which populate is their memory"
                    + " and carve the rest; raw-update: one UPDATE by hand over as much memory",
                "1/single: how many times a region mapped by one message takes as long (goal: 300);"
                    + " x raw: over raw-update (goal behind an IOMMU: 1.20); fastest repetitions",
            ],
            columns: [
                name(width: 24), count("regions", width: 9),
                figure("median", width: 10, decimals: 3, unit: 1e3) { $0.medianNs },
                figure("mean", width: 10, decimals: 3, unit: 1e3) { $0.meanNs },
                figure("worst", width: 10, decimals: 3, unit: 1e3) { $0.worstMedianNs },
                messages(width: 9),
                figure("per region", width: 11, decimals: 4) {
                    Double($0.messages) / Double(max($0.n, 1))
                },
                figure("1/single", width: 9) { $0.ratioToOneByOne.map { 1 / $0 } },
                figure("x raw", width: 7, decimals: 3) { $0.ratioToRawUpdate },
            ])
    }

    public static var block: Table {
        Table(
            title: [
                "blk: microseconds per read request of a block device; messages: writes to the device,"
                    + " all requests"
            ],
            columns: [
                name(width: 12), count("requests", width: 9),
                figure("IO/s", width: 9, decimals: 0) { 1e9 / $0.medianNs },
                figure("median", width: 10, unit: 1e3) { $0.medianNs },
                figure("mean", width: 10, unit: 1e3) { $0.meanNs },
                figure("worst", width: 10, unit: 1e3) { $0.worstMedianNs },
                messages(width: 9),
                figure("per request", width: 12, decimals: 3) {
                    Double($0.messages) / Double(max($0.n, 1))
                },
            ])
    }

    public static var cost: Table {
        Table(
            title: [
                "cost: nanoseconds per region that the library itself takes, on a device that only"
                    + " answers; messages: all regions"
            ],
            columns: [
                name(width: 26), count("regions", width: 8),
                figure("median", width: 10) { $0.medianNs },
                figure("mean", width: 10) { $0.meanNs },
                figure("best", width: 10) { $0.bestMedianNs },
                figure("worst", width: 10) { $0.worstMedianNs },
                figure("best CPU", width: 10) { $0.bestProcessorNs },
                messages(width: 9),
            ])
    }

    public static var heap: Table {
        Table(
            title: [
                "heap: nanoseconds per give + take of a block of 64 to 1024 bytes, 80 % of the bytes"
                    + " live",
                "stacks: the same loop on an array of blocks for each size; ref: the chase beside it",
            ],
            columns: [
                name(width: 12), count("n", width: 8),
                figure("median") { $0.medianNs }, figure("mean") { $0.meanNs },
                figure("worst") { $0.worstMedianNs },
                figure("p50", width: 7, decimals: 0) { $0.percentiles?.p50 },
                figure("p99", width: 7, decimals: 0) { $0.percentiles?.p99 },
                figure("p99.9", width: 7, decimals: 0) { $0.percentiles?.p999 },
                figure("max", width: 9, decimals: 0) { $0.percentiles?.max },
                figure("failures", decimals: 0) { Double($0.failures) },
                figure("ref") { $0.referenceNs },
                figure("x ref", width: 7, decimals: 2) { $0.ratio },
            ])
    }

    public static var pool: Table {
        Table(
            title: [
                "pool: nanoseconds per buffer taken and given back; name-B: B at once",
                "median, mean: of blocks, best repetition; best: the fastest block; array: an array of"
                    + " the same elements, in turns; x array: the median over it",
                "x 1T: the rate of both threads over that of one alone, fastest blocks",
            ],
            columns: [
                name(width: 12), count("buffers", width: 8),
                figure("threads", width: 7, decimals: 0) { Double($0.threads) },
                figure("median", decimals: 2) { $0.medianNs },
                figure("mean", decimals: 2) { $0.meanNs },
                figure("worst", decimals: 2) { $0.worstMedianNs },
                figure("best", decimals: 2) { $0.bestNs },
                figure("array", decimals: 2) { $0.referenceNs },
                figure("x array", decimals: 2) { $0.ratio },
                figure("x 1T", width: 6, decimals: 2) { $0.ratioToOneThread },
            ])
    }

    public static var translate: Table {
        Table(
            title: [
                "translate: nanoseconds per query of the best repetition, address to IOVA and IOVA to"
                    + " address; -maps: medians",
                "limit: a table of differences, one load and no check, in turns; x quiet: while"
                    + " another thread maps (steps a second), over without",
            ],
            columns: [
                name(width: 20), count("regions", width: 8),
                figure("best", decimals: 2) { $0.medianNs },
                figure("mean", decimals: 2) { $0.meanNs },
                figure("worst", decimals: 2) { $0.worstMedianNs },
                figure("limit", decimals: 2) { $0.referenceNs },
                figure("x limit", decimals: 2) { $0.ratio },
                figure("x quiet", decimals: 3) { $0.ratioToQuiet },
                figure("steps", decimals: 0) { $0.messages > 0 ? Double($0.messages) : nil },
            ])
    }

    public static var memory: Table {
        Table(
            title: [
                "memory: milliseconds per GiB populated, in turns on as many threads",
                "populate: MADV_POPULATE_WRITE of a memfd by itself (transparent: and"
                    + " MADV_COLLAPSE); domain: through DMADomain.allocate",
                "x alone: the fastest domain over the fastest populate (goals: 1.05 for hugepages, 1.20"
                    + " for 4 KiB, verification included); x CPU: the same of processor time",
            ],
            columns: [
                name(width: 26), count("MiB", width: 8, unit: 1 << 20),
                figure("threads", width: 7, decimals: 0) { Double($0.threads) },
                figure("median", width: 9, unit: 1e6) { $0.medianNs },
                figure("mean", width: 9, unit: 1e6) { $0.meanNs },
                figure("worst", width: 9, unit: 1e6) { $0.worstMedianNs },
                messages(width: 9),
                figure("x alone", width: 7, decimals: 3) { $0.ratioToPopulate },
                figure("x CPU", width: 7, decimals: 3) { $0.processorRatioToPopulate },
            ])
    }
}
