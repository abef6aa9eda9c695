internal import CBenchmark
internal import IOVAAllocator
internal import VDPAMemory

// The timed loops. Independent queries only add up; a dependent one's place is not known before the
// last answer is, of which the low six bits are zero.

/// Ticks of one pass, and the sum of its answers.
struct TranslatePass {
    var ticks: UInt64
    var sum: UInt64
}

extension AddressTranslator {
    @inline(never)
    func pass(_ queries: Span<UInt64>, isDependent: Bool, _ direction: TranslateDirection)
        -> TranslatePass
    {
        switch (direction, isDependent) {
        case (.toIOVA, false): Self.time { sumOfIOVAs(queries) }
        case (.toIOVA, true): Self.time { dependentSumOfIOVAs(queries) }
        case (.toAddress, false): Self.time { sumOfAddresses(queries) }
        case (.toAddress, true): Self.time { dependentSumOfAddresses(queries) }
        }
    }

    static func time(_ body: () -> UInt64) -> TranslatePass {
        let start = cbench_ticks_begin()
        let sum = body()
        return TranslatePass(ticks: cbench_ticks_end() - start, sum: sum)
    }

    /// A miss adds nothing, so that the sum is wrong.
    @inline(__always)
    private func iovaBits(_ source: UInt64) -> UInt64 {
        // Safe: never 0, and only translated.
        let address = unsafe UnsafeRawPointer(bitPattern: UInt(source)).unsafelyUnwrapped
        return unsafe iova(of: address, count: 64)?.rawValue ?? 0
    }

    @inline(__always)
    private func addressBits(_ source: UInt64) -> UInt64 {
        UInt64(UInt(bitPattern: unsafe address(of: IOVA(source), count: 64)))
    }

    @inline(never)
    func sumOfIOVAs(_ queries: Span<UInt64>) -> UInt64 {
        var sum: UInt64 = 0
        for index in queries.indices { sum &+= iovaBits(queries[index]) }
        return sum
    }

    @inline(never)
    func dependentSumOfIOVAs(_ queries: Span<UInt64>) -> UInt64 {
        var (sum, last) = (UInt64(0), UInt64(0))
        for index in queries.indices {
            last = iovaBits(queries[index] &+ (last & 63))
            sum &+= last
        }
        return sum
    }

    @inline(never)
    func sumOfAddresses(_ queries: Span<UInt64>) -> UInt64 {
        var sum: UInt64 = 0
        for index in queries.indices { sum &+= addressBits(queries[index]) }
        return sum
    }

    @inline(never)
    func dependentSumOfAddresses(_ queries: Span<UInt64>) -> UInt64 {
        var (sum, last) = (UInt64(0), UInt64(0))
        for index in queries.indices {
            last = addressBits(queries[index] &+ (last & 63))
            sum &+= last
        }
        return sum
    }
}

extension FlatDeltaTable {
    @inline(never)
    func pass(_ queries: Span<UInt64>, isDependent: Bool) -> TranslatePass {
        let (deltas, base) = unsafe (deltas, base)
        return AddressTranslator.time {
            unsafe isDependent
                ? Self.dependentSum(deltas, base, queries) : Self.sum(deltas, base, queries)
        }
    }

    @inline(never)
    private static func sum(
        _ deltas: UnsafePointer<UInt64>, _ base: UInt64, _ queries: Span<UInt64>
    ) -> UInt64 {
        var sum: UInt64 = 0
        for index in queries.indices {
            let source = queries[index]
            // In bounds: queries lie in regions that the table was made for.
            unsafe sum &+= source &+ deltas[Int((source &- base) >> 21)]
        }
        return sum
    }

    @inline(never)
    private static func dependentSum(
        _ deltas: UnsafePointer<UInt64>, _ base: UInt64, _ queries: Span<UInt64>
    ) -> UInt64 {
        var (sum, last) = (UInt64(0), UInt64(0))
        for index in queries.indices {
            let source = queries[index] &+ (last & 63)
            unsafe last = source &+ deltas[Int((source &- base) >> 21)]
            sum &+= last
        }
        return sum
    }
}
